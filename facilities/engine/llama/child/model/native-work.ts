import type { StarlingError } from '../../../../../helpers/errors/starling-error.js'

/**
 * Counts what runs in native code, so that the memory it works on is freed only after its end, and
 * lets nothing begin any more once it is to be freed.
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

  /** Computations that have ended, and the tokens in those that have begun. */
  get progress(): { readonly done: number; readonly tokens: number } {
    return { done: this.#done, tokens: this.#tokens }
  }

  /**
   * Runs something in native code.
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

  /** Refuses what comes from now on, and waits until nothing runs. To be called once. */
  async close(reason: StarlingError): Promise<void> {
    this.#closed = reason
    if (this.#running === 0) return
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
  }
}
