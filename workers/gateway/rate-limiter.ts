import type { Clock } from '../../facilities/clock/clock.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import {
  decideRate,
  isRateStateOver,
  type RateLimit,
  rateStateOverInMs,
} from '../../helpers/limits/gcra.js'

/** What a {@link RateLimiter} is made of. */
export interface RateLimiterOptions {
  /** Null sets no limit. */
  readonly limit: RateLimit | null
  /** Keys whose state is kept at once; requests of further keys are refused. */
  readonly maxKeys: number
  readonly clock: Clock
  /** The error for a request that comes too early. */
  readonly tooEarly: (retryAfterMs: number) => StarlingError
  /** The message when no further key can be counted. */
  readonly fullMessage: string
}

/** What one key has used of the limit, from its first request until all of it is free again. */
interface RateState {
  theoreticalArrivalUs: number
}

/**
 * Limits how often each key, such as a user or a client, may do something at this gateway. Every
 * decision is made in one step, so that it is exact however many requests race. A key is forgotten
 * when nothing of the limit is used any more.
 */
export class RateLimiter {
  readonly #clock: Clock
  readonly #options: RateLimiterOptions
  /** By key; whichever was admitted last stands last. */
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
   * @returns takes it back, for a request that nobody could take; calling it again does nothing
   * @throws StarlingError as `tooEarly` makes it; OVERLOADED when more keys are active than can be kept
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
    // Set anew, to stand last.
    this.#states.delete(key)
    this.#states.set(key, counted)
    let isCounted = true
    return () => {
      // A state that was over in the meantime has given it back by itself.
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
   * Forgets from the front each key that is as free as a newcomer. No state lasts longer than a whole
   * burst takes to be free again, so that each key that was admitted before that is gone, at no cost
   * but that of their coming.
   */
  #forget(nowMs: number): void {
    for (const [key, state] of this.#states) {
      if (!isRateStateOver(state.theoreticalArrivalUs, nowMs)) return
      this.#states.delete(key)
    }
  }
}
