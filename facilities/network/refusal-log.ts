import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { Clock, Timer } from '../clock/clock.js'
import type { Log } from '../log/log.js'

/** Refusals are counted in windows of this length, each starting with its first refusal. */
const REFUSAL_WINDOW_MS = 60_000

/** How many refusals in each window get a log line of their own. */
const MAX_LISTED_REFUSALS = 5

/**
 * Logs refused connections. Strangers can cause thousands of refusals a second, so only the first few in
 * each minute get a log line of their own. The others are counted by error code, and the counts are
 * logged when the minute ends.
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

  /** @param from the first characters of the public key */
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

  /** Logs the counts of the current window. A later refusal starts a new one. */
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
