import type { StarlingError } from '../../../../../helpers/errors/starling-error.js'

/**
 * Counts operations in native code, so that their memory is freed only after they have ended, and
 * refuses new ones once it is closed.
 */
export class NativeWork {
  #running = 0
  #tokens = 0
  #done = 0
  #closed: StarlingError | null = null
  #onIdle: (() => void) | null = null

  /** @throws StarlingError the reason for the closing, once closed */
  throwIfClosed(): void {
    if (this.#closed !== null) throw this.#closed
  }

  /** The number of computations that have ended, and of tokens in those that are running. */
  get progress(): { readonly done: number; readonly tokens: number } {
    return { done: this.#done, tokens: this.#tokens }
  }

  /**
   * Runs an operation in native code.
   *
   * @param tokens that are computed; default: none
   * @throws StarlingError as `throwIfClosed`
   */
  async run<Result>(work: () => Promise<Result>, tokens = 0): Promise<Result> {
    this.throwIfClosed()
    this.#running += 1
    this.#tokens += tokens
    try {
      return await work()
    } finally {
      if (tokens > 0) this.#done += 1
      this.#tokens -= tokens
      this.#running -= 1
      if (this.#running === 0) this.#onIdle?.()
    }
  }

  /** Refuses new operations, and waits until none is running. Call it only once. */
  async close(reason: StarlingError): Promise<void> {
    this.#closed = reason
    if (this.#running === 0) return
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
  }
}
