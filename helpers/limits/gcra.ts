// The generic cell rate algorithm as virtual scheduling: ITU-T Recommendation I.371 (2004), annex A. The
// state of a user is one number: the time at which the next request would arrive if requests were evenly
// spaced. A request may arrive earlier than that by as much as a burst allows.

const MINUTE_MS = 60_000

/** A rate limit. */
export interface RateLimit {
  /** The time between two requests at the maximum rate, in microseconds (the increment T). */
  readonly intervalUs: number
  /** How early a request may be, in microseconds (the limit tau). */
  readonly toleranceUs: number
}

/** The decision on a request. Only a request that conforms changes the state. */
export type RateDecision =
  | {
      readonly conforms: true
      /** The state to keep, in microseconds: see {@link decideRate}. */
      readonly theoreticalArrivalUs: number
    }
  | {
      readonly conforms: false
      /** The time until a request conforms, if no other one does before. */
      readonly retryAfterMs: number
    }

/**
 * The limit of `count` requests in a period, of which `burst` may come at once.
 *
 * Times are whole microseconds, because sums of fractions are not exact: at 7 requests per minute the
 * seventh of a burst would be refused because of a rounding error. The interval is rounded up, so that
 * there are never more requests than allowed.
 *
 * @param count from 1
 * @param burst from 1
 * @param periodMs default: a minute
 */
export function createRateLimit(count: number, burst: number, periodMs = MINUTE_MS): RateLimit {
  const intervalUs = Math.ceil((periodMs * 1000) / count)
  return { intervalUs, toleranceUs: intervalUs * (burst - 1) }
}

/**
 * Decides on a request that arrives now.
 *
 * @param theoreticalArrivalUs the state after the last request that conformed; undefined before the first.
 *   A state in the past has no effect and can be forgotten.
 * @param nowMs monotonic
 */
export function decideRate(
  limit: RateLimit,
  theoreticalArrivalUs: number | undefined,
  nowMs: number,
): RateDecision {
  const nowUs = microseconds(nowMs)
  const expectedUs = Math.max(theoreticalArrivalUs ?? nowUs, nowUs)
  const earlyByUs = expectedUs - limit.toleranceUs - nowUs
  if (earlyByUs > 0) return { conforms: false, retryAfterMs: Math.ceil(earlyByUs / 1000) }
  return { conforms: true, theoreticalArrivalUs: expectedUs + limit.intervalUs }
}

/** Whether a state has no effect any more, as if its owner had never sent a request. */
export function isRateStateOver(theoreticalArrivalUs: number, nowMs: number): boolean {
  return theoreticalArrivalUs <= microseconds(nowMs)
}

/** The time until {@link isRateStateOver} is true, in whole milliseconds. */
export function rateStateOverInMs(theoreticalArrivalUs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((theoreticalArrivalUs - microseconds(nowMs)) / 1000))
}

/** Whole microseconds. */
function microseconds(milliseconds: number): number {
  return Math.floor(milliseconds * 1000)
}
