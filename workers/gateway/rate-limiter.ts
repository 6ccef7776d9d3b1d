import type { Clock } from '../../facilities/clock/clock.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import {
  createRateLimit,
  decideRate,
  isRateStateOver,
  rateStateOverInMs,
} from '../../helpers/rate-limit/gcra.js'

/** How often one user may ask. Comes from the configuration. */
export interface RateLimitSettings {
  /** 0 sets no limit. */
  readonly perMinute: number
  /** How many of them may come at once; as many as in a minute when left out. */
  readonly burst?: number | undefined
  /** Users whose state is kept at once; one more is asked to come back. */
  readonly maxUsers: number
}

/** What one user has used of the limit, from their first request until all of it is free again. */
interface RateState {
  theoreticalArrivalUs: number
}

/**
 * Limits how often each user may ask this gateway. Every decision is made in one step, so that it is
 * exact however many requests race. A user is forgotten when nothing of the limit is used any more.
 */
export class RateLimiter {
  readonly #clock: Clock
  readonly #settings: RateLimitSettings
  readonly #limit: ReturnType<typeof createRateLimit> | null
  /** By user; whoever was admitted last stands last. */
  readonly #states = new Map<string, RateState>()

  constructor(options: { rateLimit: RateLimitSettings; clock: Clock }) {
    const { perMinute, burst = perMinute } = options.rateLimit
    this.#clock = options.clock
    this.#settings = options.rateLimit
    this.#limit = perMinute === 0 ? null : createRateLimit(perMinute, burst)
  }

  /** Users whose state is kept. */
  get users(): number {
    return this.#states.size
  }

  /**
   * Counts a request of a user.
   *
   * @returns takes it back, for a request that nobody could take; calling it again does nothing
   * @throws StarlingError RATE_LIMITED with the time after which the next request is admitted;
   *   OVERLOADED when more users are active than can be kept
   */
  admit(userId: string): () => void {
    if (this.#limit === null) return () => undefined
    const { intervalUs } = this.#limit
    const nowMs = this.#clock.monotonic()
    this.#forget(nowMs)
    const state = this.#states.get(userId)
    if (state === undefined && this.#states.size >= this.#settings.maxUsers) {
      throw new StarlingError('OVERLOADED', 'More users are active than this gateway can count', {
        retryAfterMs: this.#placeFreeInMs(nowMs),
      })
    }
    const decision = decideRate(this.#limit, state?.theoreticalArrivalUs, nowMs)
    if (!decision.conforms) throw refused(this.#settings.perMinute, decision.retryAfterMs)
    const { theoreticalArrivalUs } = decision
    const isOver = state === undefined || isRateStateOver(state.theoreticalArrivalUs, nowMs)
    const counted = isOver ? { theoreticalArrivalUs } : state
    counted.theoreticalArrivalUs = theoreticalArrivalUs
    // Set anew, to stand last.
    this.#states.delete(userId)
    this.#states.set(userId, counted)
    let isCounted = true
    return () => {
      // A state that was over in the meantime has given it back by itself.
      if (isCounted) counted.theoreticalArrivalUs -= intervalUs
      isCounted = false
    }
  }

  /** The time until the oldest state can be dropped, unless its user asks again. */
  #placeFreeInMs(nowMs: number): number {
    const [first] = this.#states.values()
    return first === undefined ? 0 : rateStateOverInMs(first.theoreticalArrivalUs, nowMs)
  }

  /**
   * Forgets from the front whoever is as free as a newcomer. No state lasts longer than a whole burst
   * takes to be free again, so that whoever was admitted before that is gone, at no cost but that of
   * their coming.
   */
  #forget(nowMs: number): void {
    for (const [userId, state] of this.#states) {
      if (!isRateStateOver(state.theoreticalArrivalUs, nowMs)) return
      this.#states.delete(userId)
    }
  }
}

function refused(perMinute: number, retryAfterMs: number): StarlingError {
  const seconds = Math.ceil(retryAfterMs / 100) / 10
  return new StarlingError(
    'RATE_LIMITED',
    `You have asked as often as allowed, ${perMinute} times a minute; ` +
      `the next question is taken in ${seconds.toFixed(1)} s`,
    { retryAfterMs },
  )
}
