import type { Clock } from '../../facilities/clock/clock.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'

/** The delay after a crash; doubled with each further crash. A client waits as long by itself. */
export const FIRST_CRASH_DELAY_MS = 1_000
export const MAX_CRASH_DELAY_MS = 300_000
/** The crashes of a user are forgotten after this time without one. Longer than any delay. */
export const FORGET_CRASHES_AFTER_MS = 3_600_000
/** Users whose crashes are kept; one more and the user whose last crash is oldest is forgotten. */
export const MAX_CRASHING_USERS = 10_000

interface Crashes {
  count: number
  /** On the monotonic clock. */
  lastAtMs: number
}

/**
 * Delays the requests of users whose last answers ended with a crash of the engine. A crash also ends the
 * answers of others, so a user whose requests crash engines repeatedly would stop all processors. It is not
 * known which request caused a crash, so all users whose answers it ended are delayed. Each answer that is
 * completed halves the count of its user, so that others are not delayed for long.
 */
export class CrashDelays {
  readonly #clock: Pick<Clock, 'monotonic'>
  /** The user with the latest crash is the last one. */
  readonly #users = new Map<string, Crashes>()

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /** Users whose crashes are kept. */
  get users(): number {
    return this.#users.size
  }

  /** @throws StarlingError RATE_LIMITED with `retryAfterMs` while the user is delayed */
  assertOver(userId: string): void {
    const crashes = this.#users.get(userId)
    if (crashes === undefined) return
    const retryAfterMs = Math.ceil(
      crashes.lastAtMs + delayAfter(crashes.count) - this.#clock.monotonic(),
    )
    if (retryAfterMs <= 0) return
    throw new StarlingError(
      'RATE_LIMITED',
      'The engine crashed during your last answer; your next request is accepted in ' +
        `${(Math.ceil(retryAfterMs / 100) / 10).toFixed(1)} s`,
      { retryAfterMs },
    )
  }

  /** An answer of the user ended because its engine crashed. */
  crashed(userId: string): void {
    const nowMs = this.#clock.monotonic()
    const known = this.#users.get(userId)
    // Several answers that end at the same time ended with the same crash.
    if (known !== undefined && nowMs - known.lastAtMs < FIRST_CRASH_DELAY_MS) return
    const isRecent = known !== undefined && nowMs - known.lastAtMs < FORGET_CRASHES_AFTER_MS
    // Inserted again, to be the last one.
    this.#users.delete(userId)
    this.#users.set(userId, { count: (isRecent ? known.count : 0) + 1, lastAtMs: nowMs })
    for (const [user, { lastAtMs }] of this.#users) {
      const isOver = lastAtMs <= nowMs - FORGET_CRASHES_AFTER_MS
      if (!isOver && this.#users.size <= MAX_CRASHING_USERS) return
      this.#users.delete(user)
    }
  }

  /** An answer of the user is complete. */
  answered(userId: string): void {
    const crashes = this.#users.get(userId)
    if (crashes === undefined) return
    crashes.count = Math.floor(crashes.count / 2)
    if (crashes.count === 0) this.#users.delete(userId)
  }
}

function delayAfter(crashes: number): number {
  return Math.min(FIRST_CRASH_DELAY_MS * 2 ** (crashes - 1), MAX_CRASH_DELAY_MS)
}
