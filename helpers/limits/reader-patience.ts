/**
 * The time that the sender of a stream still waits for its reader. Waiting uses it up; every chunk that
 * the reader grants restores a part of it. A reader that grants nothing for `timeoutMs` runs out of time,
 * and so does one that keeps granting fewer than `windowChunks` per `timeoutMs`. With a plain timeout, a
 * reader could hold a stream open by granting one chunk just before each timeout.
 */
export class ReaderPatience {
  readonly #timeoutMs: number
  readonly #perChunkMs: number
  #leftMs: number

  /**
   * @param options.timeoutMs how long the sender waits for a reader that grants nothing
   * @param options.windowChunks the number of granted chunks that restores all of this time
   */
  constructor(options: { timeoutMs: number; windowChunks: number }) {
    this.#timeoutMs = options.timeoutMs
    this.#perChunkMs = options.timeoutMs / options.windowChunks
    this.#leftMs = options.timeoutMs
  }

  /** How long the sender waits from now on if nothing is granted, in milliseconds. */
  get leftMs(): number {
    return this.#leftMs
  }

  /** Records a grant of `chunks` for which the sender had waited `waitedMs`. */
  granted(chunks: number, waitedMs: number): void {
    const leftMs = Math.max(0, this.#leftMs - waitedMs)
    this.#leftMs = Math.min(this.#timeoutMs, leftMs + chunks * this.#perChunkMs)
  }
}
