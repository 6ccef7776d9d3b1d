import { StarlingError } from '../../helpers/errors/starling-error.js'

/**
 * Runs at most so many actions at once and lets a bounded number wait, first come, first served.
 */
export class WaitingLine {
  readonly #concurrent: number
  readonly #places: number
  readonly #typicalMs: number
  readonly #waiting = new Set<() => void>()
  #running = 0

  /**
   * @param options.concurrent actions that run at once
   * @param options.places callers that may wait
   * @param options.typicalMs how long an action takes, for telling when to come back
   */
  constructor(options: { concurrent: number; places: number; typicalMs: number }) {
    this.#concurrent = options.concurrent
    this.#places = options.places
    this.#typicalMs = options.typicalMs
  }

  /** Actions that run now. */
  get running(): number {
    return this.#running
  }

  /** Callers that wait now. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * The action's outcome, once it was its turn.
   *
   * @param signal leaves the line when aborted, with its reason; an action that runs is not stopped
   * @throws StarlingError OVERLOADED with `retryAfterMs` when every place is taken
   */
  async run<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    if (this.#running < this.#concurrent) this.#running += 1
    else await this.#turn(signal)
    try {
      return await action()
    } finally {
      this.#handOver()
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.size >= this.#places) {
      throw new StarlingError('OVERLOADED', `${this.#waiting.size} others wait already`, {
        retryAfterMs: Math.ceil((this.#waiting.size / this.#concurrent) * this.#typicalMs),
      })
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.delete(admit)
        reject(signal?.reason)
      }
      const admit = () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      this.#waiting.add(admit)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** The next in line takes over the place of who leaves, so nobody can slip in between. */
  #handOver(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#running -= 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
