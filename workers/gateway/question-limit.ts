import type { Clock } from '../../facilities/clock/clock.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { createRateLimit } from '../../helpers/limits/gcra.js'
import { RateLimiter } from './rate-limiter.js'

/** How often one user may ask. Comes from the configuration. */
export interface RateLimitSettings {
  /** 0 sets no limit. */
  readonly perMinute: number
  /** How many of them may come at once; as many as in a minute when left out. */
  readonly burst?: number | undefined
  /** Users whose state is kept at once; one more is asked to come back. */
  readonly maxUsers: number
}

/** Limits how often each user may ask this gateway; by user id. RATE_LIMITED when it is too often. */
export function createQuestionLimiter(options: {
  rateLimit: RateLimitSettings
  clock: Clock
}): RateLimiter {
  const { perMinute, burst = perMinute, maxUsers } = options.rateLimit
  return new RateLimiter({
    clock: options.clock,
    limit: perMinute === 0 ? null : createRateLimit(perMinute, burst),
    maxKeys: maxUsers,
    fullMessage: 'More users are active than this gateway can count',
    tooEarly: (retryAfterMs) => refused(perMinute, retryAfterMs),
  })
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
