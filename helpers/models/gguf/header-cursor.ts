import { isUtf8 } from 'node:buffer'
import { invalidModel } from './invalid-model.js'

/** The longest text in a header: whole tokenizers are embedded as one. */
const MAX_STRING_BYTES = 64 * 1024 * 1024

/**
 * Items of all lists together. The largest vocabularies have some 300,000 tokens, as many kinds and
 * scores, and twice as many merges; what loads a model makes an object of each item.
 */
const MAX_LISTED_ITEMS = 4_194_304

/** Thrown and caught while a header is read: more bytes are needed. */
export class BytesMissing extends Error {
  /** From the beginning of the file, at least. */
  readonly neededBytes: number

  constructor(neededBytes: number) {
    super(`${neededBytes} bytes are needed`)
    this.neededBytes = neededBytes
  }
}

/**
 * Reads the little-endian numbers and texts of a header one after the other. Never beyond the bytes
 * at hand ({@link BytesMissing}) and never on the word of a length that the file cannot hold.
 */
export class HeaderCursor {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #fileSizeBytes: number
  #offset = 0
  #listedItems = 0

  /** @param bytes the beginning of the file, or all of it */
  constructor(bytes: Uint8Array, fileSizeBytes: number) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#fileSizeBytes = fileSizeBytes
  }

  /** From the beginning of the file. */
  get offset(): number {
    return this.#offset
  }

  /** How much of the file is left, whether at hand or not. */
  get remainingBytes(): number {
    return this.#fileSizeBytes - this.#offset
  }

  /**
   * Goes on by so many bytes.
   *
   * @returns where they begin
   * @throws BytesMissing; StarlingError MODEL_INVALID when the file itself is shorter
   */
  skip(lengthBytes: number): number {
    const start = this.#offset
    const end = start + lengthBytes
    if (end > this.#fileSizeBytes) {
      throw invalidModel(
        `is cut off or damaged: its header goes on to byte ${end}, but the file has ` +
          `${this.#fileSizeBytes} bytes`,
      )
    }
    if (end > this.#bytes.length) throw new BytesMissing(end)
    this.#offset = end
    return start
  }

  uint32(): number {
    return this.#view.getUint32(this.skip(4), true)
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.skip(8), true)
  }

  /**
   * A number of things that are to follow, each of at least `itemBytes`.
   *
   * @throws StarlingError MODEL_INVALID when there are more than `most`, or the file is too short
   */
  count(what: string, most: number, itemBytes: number): number {
    const count = this.uint64()
    if (count > BigInt(most)) {
      throw invalidModel(`is damaged: it claims ${count} ${what}; at most ${most} are read`)
    }
    const number = Number(count)
    if (number * itemBytes > this.remainingBytes) {
      throw invalidModel(
        `is cut off or damaged: it claims ${number} ${what}, for which it is too short`,
      )
    }
    return number
  }

  /**
   * How many items a list has, each of at least `itemBytes`.
   *
   * @throws StarlingError MODEL_INVALID when all lists so far have too many, or the file is too short
   */
  listLength(what: string, itemBytes: number): number {
    const before = this.#offset
    const claimed = this.uint64()
    if (claimed > BigInt(MAX_LISTED_ITEMS - this.#listedItems)) {
      throw invalidModel(
        `is damaged: it claims ${claimed} ${what}, and ${this.#listedItems} items of other lists; ` +
          `at most ${MAX_LISTED_ITEMS} are read`,
      )
    }
    this.#offset = before
    const length = this.count(what, MAX_LISTED_ITEMS, itemBytes)
    this.#listedItems += length
    return length
  }

  /** A text's bytes, not copied. @param most its longest length in bytes */
  stringBytes(what: string, most = MAX_STRING_BYTES): Uint8Array {
    const length = this.count(`bytes for ${what}`, most, 1)
    const start = this.skip(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** @throws StarlingError MODEL_INVALID when it is no UTF-8 */
  string(what: string, most?: number): string {
    const bytes = this.stringBytes(what, most)
    if (!isUtf8(bytes)) throw invalidModel(`is damaged: ${what} is no UTF-8`)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  }

  /** The bytes between two offsets that were passed, not copied. */
  passed(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, Math.min(end, this.#offset))
  }
}
