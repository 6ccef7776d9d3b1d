import { randomBytes, randomFillSync } from 'node:crypto'

/** The source of randomness. Passed as an argument, so that tests can control it. */
export interface Random {
  /** `sizeBytes` unpredictable bytes, fit for keys. */
  bytes(sizeBytes: number): Uint8Array
  /** A whole number from 0 up to, not including, `limit` (at most 2^32), each equally likely. */
  below(limit: number): number
  /** A number from 0 up to, not including, 1, for ids. */
  fraction(): number
}

/** Bytes that are drawn from the operating system at once, because each call is expensive. */
const POOL_BYTES = 4096

/** The operating system's random source. */
export class SystemRandom implements Random {
  readonly #pool = Buffer.alloc(POOL_BYTES)
  #drawnBytes = POOL_BYTES

  bytes(sizeBytes: number): Uint8Array {
    return new Uint8Array(randomBytes(sizeBytes))
  }

  below(limit: number): number {
    // Values past the last multiple of the limit are drawn again: otherwise small numbers would be more likely.
    const unbiased = Math.floor(2 ** 32 / limit) * limit
    for (;;) {
      const value = this.#value()
      if (value < unbiased) return value % limit
    }
  }

  fraction(): number {
    return this.#value() / 2 ** 32
  }

  /** 32 unused bits of the pool. */
  #value(): number {
    if (this.#drawnBytes === POOL_BYTES) {
      randomFillSync(this.#pool)
      this.#drawnBytes = 0
    }
    const value = this.#pool.readUInt32LE(this.#drawnBytes)
    this.#drawnBytes += 4
    return value
  }
}
