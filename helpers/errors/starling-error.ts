import { adviceFor } from './advice.js'
import { ERROR_CODES, type ErrorCode } from './error-codes.js'

/** Details of a {@link StarlingError}. */
export interface StarlingErrorOptions {
  /** The error that caused this one. Never sent to a peer. */
  readonly cause?: unknown
  /** How long to wait before the next try, in milliseconds. */
  readonly retryAfterMs?: number
  /** The request that failed, to find it in the logs. */
  readonly requestId?: string
  /** Whether a peer sent it. The peer chose the message, so it is not logged. Default: false. */
  readonly isFromPeer?: boolean
}

/**
 * The error class of Starling. Match on `code`; the message is human-readable and says what happened
 * and why. {@link ERROR_CODES} says what to do about it.
 *
 * @example
 * throw new StarlingError('EMAIL_TAKEN', 'ada@example.com is already registered')
 */
export class StarlingError extends Error {
  readonly code: ErrorCode
  readonly retryAfterMs: number | undefined
  readonly requestId: string | undefined
  readonly isFromPeer: boolean

  constructor(code: ErrorCode, message: string, options: StarlingErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'StarlingError'
    this.code = code
    this.retryAfterMs = options.retryAfterMs
    this.requestId = options.requestId
    this.isFromPeer = options.isFromPeer ?? false
  }

  /** Whether a program may send the same request again: see {@link ERROR_CODES}. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable
  }

  /** What the user can do about it, in one sentence. Commands in it do not name a home. */
  get whatToDo(): string {
    return adviceFor(this.code)
  }
}

/** Whether a caught value is a StarlingError, with one of the codes if any are given. */
export function isStarlingError(error: unknown, ...codes: ErrorCode[]): error is StarlingError {
  return error instanceof StarlingError && (codes.length === 0 || codes.includes(error.code))
}
