import { randomBytes } from 'node:crypto'

/** Chance, as everything in Starling sees it. */
export interface Random {
  /** `sizeBytes` unpredictable bytes, fit for keys. */
  bytes(sizeBytes: number): Uint8Array
  /** A whole number from 0 up to, not including, `limit` (at most 2^32), each equally likely. */
  below(limit: number): number
  /** A number from 0 up to, not including, 1, for ids. */
  fraction(): number
}

/** The operating system's random source. */
export class SystemRandom implements Random {
  bytes(sizeBytes: number): Uint8Array {
    return new Uint8Array(randomBytes(sizeBytes))
  }

  below(limit: number): number {
    // Values past the last whole multiple of the limit are drawn again: a bare modulo would prefer
    // small numbers.
    const unbiased = Math.floor(2 ** 32 / limit) * limit
    for (;;) {
      const value = randomBytes(4).readUInt32LE(0)
      if (value < unbiased) return value % limit
    }
  }

  fraction(): number {
    return randomBytes(4).readUInt32LE(0) / 2 ** 32
  }
}
