import { adviceFor } from './advice.js'
import { ERROR_CODES, type ErrorCode } from './error-codes.js'

/** What a {@link StarlingError} may carry besides its code and message. */
export interface StarlingErrorOptions {
  /** The failure below this one. Stays in this process: it is never sent to a peer. */
  readonly cause?: unknown
  /** How long to wait before the next try, in milliseconds. */
  readonly retryAfterMs?: number
  /** The request that failed, to find it in the logs. */
  readonly requestId?: string
  /** A peer told of it, in words of the peer's choice: they are not logged. False when left out. */
  readonly isFromPeer?: boolean
}

/**
 * The one error class of Starling. Match on `code`; the message is for people and says what
 * happened and why. What to do about it stands in {@link ERROR_CODES}.
 *
 * @example
 * throw new StarlingError('EMAIL_TAKEN', 'ada@example.com is registered already')
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

  /** What the reader can do about it, one sentence. Commands in it name no home. */
  get whatToDo(): string {
    return adviceFor(this.code)
  }
}

/** Whether a caught value is a StarlingError, and one of the given codes when any are given. */
export function isStarlingError(error: unknown, ...codes: ErrorCode[]): error is StarlingError {
  return error instanceof StarlingError && (codes.length === 0 || codes.includes(error.code))
}
