/** The delays between the attempts of one request. */
export interface RetryDelays {
  /** The mean pause after the first failure, in milliseconds. Doubled with each further one. */
  readonly firstMs: number
  /** The mean pause never grows beyond this, in milliseconds. */
  readonly mostMs: number
}

/** The largest random part of a pause. */
const SPREAD = 0.25

/**
 * The pause before a failed request is sent again: exponential backoff with jitter. It doubles with each
 * failure up to a limit and is up to a quarter shorter or longer at random, so that callers that failed
 * at the same time do not retry at the same time.
 *
 * If the other end requested a pause, it is never shorter than that; jitter is only added.
 *
 * @param failures attempts that failed in a row, from 1
 * @param fraction drawn at random, from 0 up to, not including, 1
 * @param retryAfterMs the pause that the other end requested, if any
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
