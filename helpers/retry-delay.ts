/** How the pauses between the tries of one request grow. */
export interface RetryDelays {
  /** About the pause before the second try, in milliseconds. Doubled for each try after it. */
  readonly firstMs: number
  /** About the longest pause, in milliseconds. */
  readonly mostMs: number
}

/** Of a pause, how much chance adds or takes away at most. */
const SPREAD = 0.25

/**
 * The pause before something that failed is tried again. It doubles with each failure up to a limit,
 * and chance makes it up to a quarter shorter or longer, so that callers that failed together do not
 * come back together.
 *
 * A wait that the other end named is never shortened: chance only adds to it, because all others were
 * told the same.
 *
 * @param failures tries that failed in a row, from 1
 * @param fraction drawn at random, from 0 up to, not including, 1
 * @param retryAfterMs what the other end named, if it did
 * @returns whole milliseconds
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function retryDelayMs(
  { firstMs, mostMs }: RetryDelays,
  failures: number,
  fraction: number,
  retryAfterMs?: number,
): number {
  const backoffMs = Math.min(firstMs * 2 ** (failures - 1), mostMs)
  const drawnMs = backoffMs * (1 - SPREAD + 2 * SPREAD * fraction)
  const addedMs = SPREAD * fraction * Math.max(firstMs, retryAfterMs ?? 0)
  return Math.ceil(Math.max(drawnMs, retryAfterMs === undefined ? 0 : retryAfterMs + addedMs))
}
