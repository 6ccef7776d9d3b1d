import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Clock, Timer } from './clock.js'

/**
 * A point in time after which work is worthless. It passes when its time is over, with
 * DEADLINE_EXCEEDED, or when its parent is aborted, with the parent's reason. Dispose of it when
 * the work is done.
 *
 * Every call has two of these, one at each end, and an AbortSignal costs more than all the rest of
 * one; so the signal is made only for those who ask for it.
 */
export class Deadline {
  readonly #clock: Clock
  readonly #endsAt: number
  readonly #timer: Timer
  readonly #parent: AbortSignal | undefined
  readonly #onParentAbort = () => this.#pass(this.#parent?.reason)
  readonly #racing = new Set<(reason: unknown) => void>()
  #controller: AbortController | null = null
  #passed: { readonly reason: unknown } | null = null

  constructor(clock: Clock, timeoutMs: number, parent?: AbortSignal) {
    this.#clock = clock
    this.#endsAt = clock.monotonic() + timeoutMs
    this.#parent = parent
    this.#timer = clock.schedule(timeoutMs, () => {
      this.#pass(
        new StarlingError('DEADLINE_EXCEEDED', `No complete answer within ${timeoutMs} ms`),
      )
    })
    if (parent?.aborted) this.#onParentAbort()
    else parent?.addEventListener('abort', this.#onParentAbort, { once: true })
  }

  /** Aborted when the deadline passes. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#passed !== null) this.#controller.abort(this.#passed.reason)
    return this.#controller.signal
  }

  /** Milliseconds that are left, at least 0. */
  remainingMs(): number {
    return Math.max(0, this.#endsAt - this.#clock.monotonic())
  }

  /** The promise's outcome, or the reason as a rejection when the deadline passes first. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#passed !== null) {
        reject(this.#passed.reason)
        // What the promise still comes to interests nobody.
        promise.catch(() => undefined)
        return
      }
      this.#racing.add(reject)
      promise.then(
        (value) => {
          this.#racing.delete(reject)
          resolve(value)
        },
        (error: unknown) => {
          this.#racing.delete(reject)
          reject(error)
        },
      )
    })
  }

  /** Stops the timer and lets go of the parent. What is still racing goes on without an end. */
  dispose(): void {
    this.#timer.cancel()
    this.#parent?.removeEventListener('abort', this.#onParentAbort)
  }

  #pass(reason: unknown): void {
    if (this.#passed !== null) return
    this.#passed = { reason }
    this.#controller?.abort(reason)
    for (const reject of this.#racing) reject(reason)
    this.#racing.clear()
  }
}
