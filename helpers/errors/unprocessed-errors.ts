import type { ErrorCode } from './error-codes.js'
import { isStarlingError } from './starling-error.js'

/**
 * Codes that guarantee that the request was not processed, or can safely be processed again. Such a request
 * does not count against the user's rate limit.
 */
const UNPROCESSED_CODES: readonly ErrorCode[] = [
  'HELLO_FAILED',
  'GATEWAY_NOT_FOUND',
  'AUTH_UNAVAILABLE',
  'MODEL_UNAVAILABLE',
  'MODEL_NOT_FOUND',
  'MODEL_UNREACHABLE',
  'PEER_UNREACHABLE',
  'RATE_LIMITED',
  'OVERLOADED',
  'DRAINING',
  'ENGINE_UNREACHABLE',
  'ENGINE_DISPOSED',
]

/** Whether an error guarantees that the request was not processed. */
export function isUnprocessed(error: unknown): boolean {
  return isStarlingError(error, ...UNPROCESSED_CODES)
}
