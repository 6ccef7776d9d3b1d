import type { ErrorCode } from '../errors/error-codes.js'

/** Before a key that could not be reached is dialled again, on average; doubled for each further failure. */
const UNREACHABLE_RETRY_MS = 1_000
/** The maximum of that for a known worker. If its address changes, it is dialled at once. */
const MAX_KNOWN_RETRY_MS = 15_000
/** The same for unknown keys, and for workers that have not been reached for long. */
const MAX_UNKNOWN_RETRY_MS = 60_000
/** Before a member whose certificate was refused is dialled again, on average. */
const REFUSED_RETRY_MS = 30_000
/** Before a stranger is dialled again, on average; doubled each time. */
const STRANGER_RETRY_MS = 60_000
/** The maximum of that. */
const MAX_STRANGER_RETRY_MS = 15 * 60_000

/** Before a worker that dropped its connection is dialled again. */
export const LOST_RETRY_MS = 1_000

/** Dials that fail in a row before a known worker gives way to those that are more likely to be there. */
export const HOPELESS_FAILURES = 10

/** A dial that failed. */
export interface DialFailure {
  readonly code: ErrorCode
  /** When the peer asks to be dialled again. */
  readonly retryAfterMs?: number | undefined
  /** The worker was authenticated before, or is on the roster. */
  readonly isKnown: boolean
  /** It sent a wrong MAC, or none in time. */
  readonly isStranger: boolean
  /** Dials that failed before this one, since the last that did not. */
  readonly failures: number
}

/**
 * How long to wait before the next dial. The delay is random, so that peers that were cut at the same time do
 * not all dial again at the same time.
 *
 * @param fraction a random number from 0 up to, not including, 1
 * @returns milliseconds
 */
export function redialDelayMs(failure: DialFailure, fraction: number): number {
  const jitter = 0.5 + fraction
  const doubled = (firstMs: number, mostMs: number) =>
    Math.min(firstMs * 2 ** failure.failures, mostMs) * jitter
  if (failure.isStranger && !failure.isKnown) {
    return doubled(STRANGER_RETRY_MS, MAX_STRANGER_RETRY_MS)
  }
  const { code, retryAfterMs = 0 } = failure
  if (code !== 'PEER_UNREACHABLE' && code !== 'HELLO_FAILED' && code !== 'OVERLOADED') {
    return REFUSED_RETRY_MS * jitter
  }
  const isExpected = failure.isKnown && failure.failures < HOPELESS_FAILURES
  const mostMs = isExpected ? MAX_KNOWN_RETRY_MS : MAX_UNKNOWN_RETRY_MS
  return Math.max(Math.min(retryAfterMs, REFUSED_RETRY_MS), doubled(UNREACHABLE_RETRY_MS, mostMs))
}
