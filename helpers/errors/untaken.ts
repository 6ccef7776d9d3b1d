import type { ErrorCode } from './error-codes.js'
import { isStarlingError } from './starling-error.js'

/**
 * Codes that say for certain that nobody carried the request out. Sending it again does no harm, and
 * it costs its user nothing.
 */
const UNTAKEN_CODES: readonly ErrorCode[] = [
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

/** Whether a failure says for certain that nobody carried the request out. */
export function isUntaken(error: unknown): boolean {
  return isStarlingError(error, ...UNTAKEN_CODES)
}
