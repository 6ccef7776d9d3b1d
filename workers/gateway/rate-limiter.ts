import type { Clock } from '../../facilities/clock/clock.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import {
  decideRate,
  isRateStateOver,
  type RateLimit,
  rateStateOverInMs,
} from '../../helpers/limits/gcra.js'

/** The settings of a {@link RateLimiter}. */
export interface RateLimiterOptions {
  /** Null sets no limit. */
  readonly limit: RateLimit | null
  /** Keys whose state is kept at the same time; requests of further keys are refused. */
  readonly maxKeys: number
  readonly clock: Clock
  /** The error for a request that comes too early. */
  readonly tooEarly: (retryAfterMs: number) => StarlingError
  /** The message for a request of a key that cannot be counted. */
  readonly fullMessage: string
}

/** How much of the limit a key has used, until all of it is free again. */
interface RateState {
  theoreticalArrivalUs: number
}

/**
 * Limits the rate of requests of each key, such as a user or a client. Decisions are synchronous, so they
 * are exact for concurrent requests. A key is forgotten when all of its limit is free again.
 */
export class RateLimiter {
  readonly #clock: Clock
  readonly #options: RateLimiterOptions
  /** By key; the key that was admitted last is the last one. */
  readonly #states = new Map<string, RateState>()

  constructor(options: RateLimiterOptions) {
    this.#clock = options.clock
    this.#options = options
  }

  /** Keys whose state is kept. */
  get keys(): number {
    return this.#states.size
  }

  /**
   * Counts a request.
   *
   * @returns uncounts the request if it was not processed; further calls do nothing
   * @throws StarlingError the error of `tooEarly`; OVERLOADED if no further key can be counted
   */
  admit(key: string): () => void {
    const { limit, maxKeys, tooEarly, fullMessage } = this.#options
    if (limit === null) return () => undefined
    const nowMs = this.#clock.monotonic()
    this.#forget(nowMs)
    const state = this.#states.get(key)
    if (state === undefined && this.#states.size >= maxKeys) {
      throw new StarlingError('OVERLOADED', fullMessage, {
        retryAfterMs: this.#placeFreeInMs(nowMs),
      })
    }
    const decision = decideRate(limit, state?.theoreticalArrivalUs, nowMs)
    if (!decision.conforms) throw tooEarly(decision.retryAfterMs)
    const { theoreticalArrivalUs } = decision
    const isOver = state === undefined || isRateStateOver(state.theoreticalArrivalUs, nowMs)
    const counted = isOver ? { theoreticalArrivalUs } : state
    counted.theoreticalArrivalUs = theoreticalArrivalUs
    // Inserted again, to be the last one.
    this.#states.delete(key)
    this.#states.set(key, counted)
    let isCounted = true
    return () => {
      // If its state has expired in the meantime, the request is not counted any more.
      if (isCounted) counted.theoreticalArrivalUs -= limit.intervalUs
      isCounted = false
    }
  }

  /** The time until the oldest state can be dropped, unless its key is admitted again. */
  #placeFreeInMs(nowMs: number): number {
    const [first] = this.#states.values()
    return first === undefined ? 0 : rateStateOverInMs(first.theoreticalArrivalUs, nowMs)
  }

  /**
   * Forgets expired keys, the oldest first. No state lasts longer than a whole burst takes to be free again,
   * so all keys that were admitted before are forgotten. The cost is constant per request on average.
   */
  #forget(nowMs: number): void {
    for (const [key, state] of this.#states) {
      if (!isRateStateOver(state.theoreticalArrivalUs, nowMs)) return
      this.#states.delete(key)
    }
  }
}
