import type { ErrorCode } from './error-codes.js'
import { isStarlingError } from './starling-error.js'

/**
 * Codes that guarantee that the request was not processed, or not beyond the point where it can be
 * processed again. Sending it again does no harm, and it does not count against the user's limit.
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
