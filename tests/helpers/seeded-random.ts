import type { Random } from '../../facilities/clock/random.js'

/** Random numbers that a seed reproduces: xorshift32 (Marsaglia, 2003). For tests only. */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    // A state of zero would stay zero.
    this.#state = seed ^ 0x9e3779b9 || 1
  }

  bytes(sizeBytes: number): Uint8Array {
    return Uint8Array.from({ length: sizeBytes }, () => this.below(256))
  }

  below(limit: number): number {
    return Math.floor(this.fraction() * limit)
  }

  fraction(): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) / 2 ** 32
  }
}
