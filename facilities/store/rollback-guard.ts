import type { WitnessState } from '../../helpers/store/store-witness.js'
import type { Clock, Timer } from '../clock/clock.js'
import type { Witness } from './witness.js'

/** The minimum time between two writes. A rollback of store and witness by less is not detected. */
export const GUARD_INTERVAL_MS = 1_000

/**
 * A second record of the length and the hash of a store, in another folder than the store and its witness,
 * which are usually restored together. It is written at most {@link GUARD_INTERVAL_MS} after the witness,
 * so that no commit waits for it, and names the same cores, so that it belongs to one store.
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

  /** @param parts.record its storage; closed with the guard */
  constructor(parts: { readonly record: Witness; readonly clock: Clock }) {
    this.#record = parts.record
    this.#clock = parts.clock
  }

  /** Its content; null if there was none, or it is not loaded yet. */
  get state(): WitnessState | null {
    return this.#record.state
  }

  /** Why the last write failed; null if it did not. Failed writes are repeated. */
  get failure(): unknown {
    return this.#failure
  }

  /** @throws StarlingError STORE_DAMAGED when it is damaged itself; HOME_UNUSABLE */
  async load(): Promise<WitnessState | null> {
    return await this.#record.load()
  }

  /** Records the state, now or soon. @param cores on disk and witnessed */
  note(cores: WitnessState['cores']): void {
    this.#pending = cores
    if (this.#timer !== null) return
    const dueInMs = this.#lastAtMs + GUARD_INTERVAL_MS - this.#clock.monotonic()
    if (dueInMs <= 0) this.#writePending()
    else this.#writeIn(dueInMs)
  }

  /** Writes the last noted state now, if possible: see `failure`. */
  async flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = null
    this.#writePending()
    await this.#writing
  }

  /** Writes the last noted state first, if possible. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.flush()
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
