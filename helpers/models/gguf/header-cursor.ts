import { isUtf8 } from 'node:buffer'
import { invalidModel } from './invalid-model.js'

/** The longest text in a header: whole tokenizers are embedded as one. */
const MAX_STRING_BYTES = 64 * 1024 * 1024

/**
 * Items of all lists together. The largest vocabularies have some 300,000 tokens, as many types and
 * scores, and twice as many merges; loading a model creates an object for each item.
 */
const MAX_LISTED_ITEMS = 4_194_304

/** Thrown and caught while a header is read: more bytes are needed. */
export class BytesMissing extends Error {
  /** Counted from the beginning of the file. */
  readonly neededBytes: number

  constructor(neededBytes: number) {
    super(`At min ${neededBytes} bytes are needed`)
    this.neededBytes = neededBytes
  }
}

/**
 * Reads the little-endian numbers and texts of a header in sequence. Never reads beyond the available
 * bytes ({@link BytesMissing}), and never trusts a length that exceeds the file.
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

  /** The rest of the file, in bytes, whether available or not. */
  get remainingBytes(): number {
    return this.#fileSizeBytes - this.#offset
  }

  /**
   * Advances by a number of bytes.
   *
   * @returns their offset
   * @throws BytesMissing; StarlingError MODEL_INVALID when the file itself is shorter
   */
  skip(lengthBytes: number): number {
    const start = this.#offset
    const end = start + lengthBytes
    if (end > this.#fileSizeBytes) {
      throw invalidModel(
        `is cut off or damaged: its header extends to byte ${end}, but the file has ` +
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
   * A count of items that follow, each of at least `itemBytes`.
   *
   * @throws StarlingError MODEL_INVALID when there are more than `most`, or the file is too short
   */
  count(what: string, max: number, itemBytes: number): number {
    const count = this.uint64()
    if (count > BigInt(max)) {
      throw invalidModel(`is damaged: it claims ${count} ${what}; the maximum is ${max}`)
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
   * The length of a list of items of at least `itemBytes` each.
   *
   * @throws StarlingError MODEL_INVALID when all lists so far have too many items, or the file is too short
   */
  listLength(what: string, itemBytes: number): number {
    const before = this.#offset
    const claimed = this.uint64()
    if (claimed > BigInt(MAX_LISTED_ITEMS - this.#listedItems)) {
      throw invalidModel(
        `is damaged: it claims ${claimed} ${what}, and ${this.#listedItems} items of other lists; ` +
          `the maximum is ${MAX_LISTED_ITEMS}`,
      )
    }
    this.#offset = before
    const length = this.count(what, MAX_LISTED_ITEMS, itemBytes)
    this.#listedItems += length
    return length
  }

  /** A text's bytes, not copied. @param max its maximum length in bytes */
  stringBytes(what: string, max = MAX_STRING_BYTES): Uint8Array {
    const length = this.count(`bytes for ${what}`, max, 1)
    const start = this.skip(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** @throws StarlingError MODEL_INVALID when it is not UTF-8 */
  string(what: string, max?: number): string {
    const bytes = this.stringBytes(what, max)
    if (!isUtf8(bytes)) throw invalidModel(`is damaged: ${what} is not UTF-8`)
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  }

  /** The bytes between two offsets that were passed, not copied. */
  passed(start: number, end: number): Uint8Array {
    return this.#bytes.subarray(start, Math.min(end, this.#offset))
  }
}
