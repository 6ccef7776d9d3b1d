import { StarlingError } from '../errors/starling-error.js'

/** The most chunks that may be granted and not spent. */
const MAX_CREDIT = 4096

/**
 * The credit of the sender of a stream: the chunks that the receiver has granted and that are not sent yet.
 * Also used between the processes of an engine, where a chunk is a token.
 *
 * A message of several chunks that cannot be divided, as a relay passes it on, may exceed the credit: it may be sent
 * as long as there is any. So a receiver holds at most one such message more than it has granted.
 */
export class SendCredit {
  #available = 0
  #wake: (() => void) | undefined

  /** @param initial 0: nothing may be sent before the first grant */
  constructor(initial: number) {
    if (initial !== 0) this.grant(initial)
  }

  /** Chunks that may be sent now. Below 0 when the last message exceeded the credit. */
  get available(): number {
    return this.#available
  }

  /**
   * Spends the credit of the chunks of one message.
   *
   * @throws Error if there is none, which is a mistake of the caller
   */
  spend(chunks = 1): void {
    if (this.#available <= 0) throw new Error('A chunk was sent without credit')
    this.#available -= chunks
  }

  /** Resolves as soon as there is credit. For one waiter at a time. */
  async whenAvailable(): Promise<void> {
    if (this.#available > 0) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  /** @throws StarlingError PROTOCOL_VIOLATION if the grant is not a count, or exceeds the limit */
  grant(chunks: number): void {
    if (!Number.isInteger(chunks) || chunks < 1 || this.#available + chunks > MAX_CREDIT) {
      throw new StarlingError(
        'PROTOCOL_VIOLATION',
        `A grant of ${chunks} on top of ${this.#available} chunks is outside 1 to ${MAX_CREDIT}`,
      )
    }
    this.#available += chunks
    if (this.#available <= 0) return
    this.#wake?.()
    this.#wake = undefined
  }
}

/**
 * The credit that the receiver of a stream has granted, and when to grant more. It grants half a window at
 * once, so that one small message serves many chunks.
 */
export class ReceiveCredit {
  readonly #windowChunks: number
  #outstanding: number
  #consumed = 0

  /** @param windowChunks the most chunks that are in transit or not read; 1 to 4096 */
  constructor(windowChunks: number) {
    this.#windowChunks = windowChunks
    this.#outstanding = windowChunks
  }

  /** Counts the chunks of a message that arrived. @throws StarlingError PROTOCOL_VIOLATION if no credit was left */
  receive(chunks = 1): void {
    if (this.#outstanding <= 0) {
      throw new StarlingError('PROTOCOL_VIOLATION', 'A chunk arrived without credit')
    }
    this.#outstanding -= chunks
  }

  /** Counts chunks that were read. @returns the chunks to grant now; 0: none yet */
  consume(chunks = 1): number {
    this.#consumed += chunks
    if (this.#consumed * 2 < this.#windowChunks) return 0
    const grant = this.#consumed
    this.#consumed = 0
    this.#outstanding += grant
    return grant
  }
}

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
