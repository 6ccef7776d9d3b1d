import type { Clock } from '../../clock/clock.js'

/** How long a refused hello counts against its source. */
const REFUSAL_MEMORY_MS = 10_000

/**
 * Refusals that are remembered, about 150 bytes each. One core refuses fewer hellos than this within
 * {@link REFUSAL_MEMORY_MS}, so that nobody can cause enough of them to make their own be forgotten.
 */
const MAX_REMEMBERED_REFUSALS = 16_384

interface Refusal {
  readonly source: string
  readonly at: number
}

/** Counts the hellos of each source that were refused in the last {@link REFUSAL_MEMORY_MS}. */
export class RecentRefusals {
  readonly #clock: Clock
  /** Oldest first. */
  readonly #refusals = new Set<Refusal>()
  readonly #counts = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(source: string): void {
    this.#forgetOld()
    const [oldest] = this.#refusals
    if (this.#refusals.size >= MAX_REMEMBERED_REFUSALS && oldest !== undefined) this.#forget(oldest)
    this.#refusals.add({ source, at: this.#clock.monotonic() })
    this.#counts.set(source, (this.#counts.get(source) ?? 0) + 1)
  }

  count(source: string): number {
    this.#forgetOld()
    return this.#counts.get(source) ?? 0
  }

  #forgetOld(): void {
    const before = this.#clock.monotonic() - REFUSAL_MEMORY_MS
    for (const refusal of this.#refusals) {
      if (refusal.at > before) return
      this.#forget(refusal)
    }
  }

  #forget(refusal: Refusal): void {
    this.#refusals.delete(refusal)
    const left = (this.#counts.get(refusal.source) ?? 0) - 1
    if (left > 0) this.#counts.set(refusal.source, left)
    else this.#counts.delete(refusal.source)
  }
}
