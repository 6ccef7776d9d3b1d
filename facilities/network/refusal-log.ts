import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { Clock, Timer } from '../clock/clock.js'
import type { Log } from '../log/log.js'

/** How long refusals are counted together, from the first of them. */
const REFUSAL_WINDOW_MS = 60_000

/** Refusals that have a log line of their own in each window; all others share one. */
const MAX_LISTED_REFUSALS = 5

/**
 * Writes down who was refused. Whoever reaches the port can be refused thousands of times a second, so
 * only the first few of each minute have a line of their own; the number of the others, by error code,
 * is written when the minute ends.
 */
export class RefusalLog {
  readonly #log: Log
  readonly #clock: Clock
  readonly #unlisted = new Map<string, number>()
  #listed = 0
  #windowEnd: Timer | null = null

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** @param from a part of the public key, as it stands in the log */
  note(err: unknown, from: string | undefined): void {
    this.#windowEnd ??= this.#clock.schedule(REFUSAL_WINDOW_MS, () => this.#endWindow())
    if (this.#listed < MAX_LISTED_REFUSALS) {
      this.#listed += 1
      this.#log.warn({ err, from }, 'refused')
      return
    }
    const code = isStarlingError(err) ? err.code : 'INTERNAL'
    this.#unlisted.set(code, (this.#unlisted.get(code) ?? 0) + 1)
  }

  /** Writes what has not been written yet. Another refusal begins anew. */
  close(): void {
    this.#windowEnd?.cancel()
    this.#endWindow()
  }

  #endWindow(): void {
    this.#windowEnd = null
    this.#listed = 0
    if (this.#unlisted.size === 0) return
    const codes = Object.fromEntries(this.#unlisted)
    const count = [...this.#unlisted.values()].reduce((sum, some) => sum + some, 0)
    this.#unlisted.clear()
    this.#log.warn({ count, codes }, 'refused more, not listed')
  }
}
