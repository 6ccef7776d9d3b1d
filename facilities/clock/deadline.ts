import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Clock, Timer } from './clock.js'

/**
 * A deadline for work. It passes with DEADLINE_EXCEEDED when its time is over, or with the reason of its parent
 * when that is aborted. Dispose of it when the work is done.
 *
 * Every call has two of these, one at each end, and an AbortSignal costs more than everything else in it. So the
 * signal is created only when it is used.
 */
export class Deadline {
  readonly #clock: Clock
  readonly #endsAt: number
  readonly #timer: Timer | null
  readonly #parent: AbortSignal | undefined
  readonly #onParentAbort = () => this.#pass(this.#parent?.reason)
  readonly #racing = new Set<(reason: unknown) => void>()
  #controller: AbortController | null = null
  #passed: { readonly reason: unknown } | null = null

  /** @param timeoutMs Infinity: it passes with its parent only */
  constructor(clock: Clock, timeoutMs: number, parent?: AbortSignal) {
    this.#clock = clock
    this.#endsAt = clock.monotonic() + timeoutMs
    this.#parent = parent
    const exceed = () => {
      this.#pass(
        new StarlingError('DEADLINE_EXCEEDED', `No complete answer within ${timeoutMs} ms`),
      )
    }
    this.#timer = timeoutMs === Number.POSITIVE_INFINITY ? null : clock.schedule(timeoutMs, exceed)
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
        // Its outcome is not needed any more.
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

  /** Stops the timer and ignores the parent from now on. Promises that still race have no deadline any more. */
  dispose(): void {
    this.#timer?.cancel()
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
