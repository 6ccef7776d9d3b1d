import { StarlingError } from '../errors/starling-error.js'

/** The most chunks that may ever be granted and unspent. */
const MOST_CREDIT = 4096

/** The sender's side of a stream's credit: what the receiver has granted and is not spent yet. */
export class SendCredit {
  #available: number

  constructor(initial: number) {
    this.#available = 0
    this.grant(initial)
  }

  /** Chunks that may be sent now. */
  get available(): number {
    return this.#available
  }

  /** Takes one chunk's credit. Asking without having any is a mistake of ours. */
  spend(): void {
    if (this.#available === 0) throw new Error('A chunk was sent without credit')
    this.#available -= 1
  }

  /** @throws StarlingError PROTOCOL_VIOLATION when the grant is no count or passes the most */
  grant(chunks: number): void {
    if (!Number.isInteger(chunks) || chunks < 1 || this.#available + chunks > MOST_CREDIT) {
      throw new StarlingError(
        'PROTOCOL_VIOLATION',
        `A grant of ${chunks} on top of ${this.#available} chunks is outside 1 to ${MOST_CREDIT}`,
      )
    }
    this.#available += chunks
  }
}

/**
 * The receiver's side: how much the sender may still send, and when to grant more. Grants are made
 * for half a window at once, so that credit costs one small message per many chunks.
 */
export class ReceiveCredit {
  readonly #windowChunks: number
  #outstanding: number
  #consumed = 0

  /** @param windowChunks the most chunks on their way or unread, 1 to 4096 */
  constructor(windowChunks: number) {
    this.#windowChunks = windowChunks
    this.#outstanding = windowChunks
  }

  /** Notes that a chunk arrived. @throws StarlingError PROTOCOL_VIOLATION when none was granted */
  receive(): void {
    if (this.#outstanding === 0) {
      throw new StarlingError('PROTOCOL_VIOLATION', 'A chunk arrived for which no credit was left')
    }
    this.#outstanding -= 1
  }

  /** Notes that a chunk was read. @returns the chunks to grant now, 0 when it is not time yet */
  consume(): number {
    this.#consumed += 1
    if (this.#consumed * 2 < this.#windowChunks) return 0
    const grant = this.#consumed
    this.#consumed = 0
    this.#outstanding += grant
    return grant
  }
}
