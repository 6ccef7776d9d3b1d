// The generic cell rate algorithm in its virtual scheduling form: ITU-T Recommendation I.371 (2004),
// annex A. A user's whole state is one number, the time at which the next request would arrive if all
// came evenly spaced; a request may be early by as much as a burst allows.

const MINUTE_MS = 60_000

/** How often something may happen. */
export interface RateLimit {
  /** Between two requests of somebody who uses the limit up, in microseconds (the increment T). */
  readonly intervalUs: number
  /** How early a request may be, in microseconds (the limit tau). */
  readonly toleranceUs: number
}

/** What becomes of one request. Only one that conforms changes the state. */
export type RateDecision =
  | {
      readonly conforms: true
      /** The state to keep, in microseconds: see {@link decideRate}. */
      readonly theoreticalArrivalUs: number
    }
  | {
      readonly conforms: false
      /** A request that comes so much later conforms, if none does before. */
      readonly retryAfterMs: number
    }

/**
 * The limit of `count` requests in a period, of which `burst` may come at once.
 *
 * Whole microseconds, because sums of fractions are not exact: at 7 requests a minute the seventh of
 * a burst would be refused for an error in the last digit. The interval is rounded up, so that there
 * are never more requests than allowed.
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
 * @param theoreticalArrivalUs the state that the last request that conformed left; undefined before
 *   the first. A state that lies in the past says nothing any more and can be forgotten.
 * @param nowMs milliseconds since any point that never go back
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

/** Whether a state says nothing any more: its owner is as free as somebody who never came. */
export function isRateStateOver(theoreticalArrivalUs: number, nowMs: number): boolean {
  return theoreticalArrivalUs <= microseconds(nowMs)
}

/** The time until {@link isRateStateOver} is true, in whole milliseconds. */
export function rateStateOverInMs(theoreticalArrivalUs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((theoreticalArrivalUs - microseconds(nowMs)) / 1000))
}

/** Whole ones, as the states are. */
function microseconds(milliseconds: number): number {
  return Math.floor(milliseconds * 1000)
}
