import type { WitnessState } from '../../helpers/store-witness.js'
import type { Clock, Timer } from '../clock/clock.js'
import type { Witness } from './witness.js'

/** The least time between two writings: a store may lose as much, together with its witness, unnoticed. */
export const GUARD_INTERVAL_MS = 1_000

/**
 * A second record of how far a store had come, kept elsewhere than the store and its witness, which a
 * backup or a mistaken hand replaces together. It follows the witness by {@link GUARD_INTERVAL_MS} at
 * the most, so that no commit waits for it, and names the same cores, so that it belongs to one store.
 */
export class RollbackGuard {
  readonly #record: Witness
  readonly #clock: Clock
  #pending: WitnessState['cores'] | null = null
  #timer: Timer | null = null
  #writing: Promise<void> = Promise.resolve()
  #lastAtMs = Number.NEGATIVE_INFINITY
  #failure: unknown = null
  #isClosed = false

  /** @param parts.record where it is kept; closed with the guard */
  constructor(parts: { readonly record: Witness; readonly clock: Clock }) {
    this.#record = parts.record
    this.#clock = parts.clock
  }

  /** What it says; null when there was none, or it was not loaded yet. */
  get state(): WitnessState | null {
    return this.#record.state
  }

  /** Why it was not written the last time; null when it was. It is tried again. */
  get failure(): unknown {
    return this.#failure
  }

  /** @throws StarlingError STORE_DAMAGED when it is damaged itself; HOME_UNUSABLE */
  async load(): Promise<WitnessState | null> {
    return await this.#record.load()
  }

  /** Records this, now or soon. @param cores what is on disk and witnessed */
  note(cores: WitnessState['cores']): void {
    this.#pending = cores
    if (this.#timer !== null) return
    const dueInMs = this.#lastAtMs + GUARD_INTERVAL_MS - this.#clock.monotonic()
    if (dueInMs <= 0) this.#writePending()
    else this.#writeIn(dueInMs)
  }

  /** What was noted before is written first, if it can be. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#writePending()
    await this.#writing
    await this.#record.close()
  }

  #writeIn(delayMs: number): void {
    this.#timer = this.#clock.schedule(delayMs, () => {
      this.#timer = null
      this.#writePending()
    })
  }

  #writePending(): void {
    const cores = this.#pending
    this.#pending = null
    if (cores === null) return
    this.#lastAtMs = this.#clock.monotonic()
    this.#writing = this.#writing.then(() => this.#write(cores))
  }

  async #write(cores: WitnessState['cores']): Promise<void> {
    try {
      await this.#record.record(cores)
      this.#failure = null
    } catch (error) {
      this.#failure = error
      this.#pending ??= cores
      if (this.#timer === null && !this.#isClosed) this.#writeIn(GUARD_INTERVAL_MS)
    }
  }
}
