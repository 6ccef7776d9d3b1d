import type { ErrorCode } from '../../helpers/errors/error-codes.js'
import type { StarlingError } from '../../helpers/errors/starling-error.js'
import { retryDelayMs } from '../../helpers/routing/retry-delay.js'

/** The delays between attempts. They start again if the reason changes. */
const RETRY_DELAYS = { firstMs: 250, mostMs: 2_000 }

/**
 * Whether a request may be sent again after an error.
 *
 * @param times how often it has failed with this code, including this time
 */
export type MayRepeat = (error: StarlingError, times: number) => boolean

/** Decides whether and when one request is sent again. */
export class RetryPolicy {
  readonly #mayRepeat: MayRepeat
  readonly #times = new Map<ErrorCode, number>()
  #last: StarlingError | undefined
  /** Why the request was sent again the last time, if it was. */
  #sentAgainFor: StarlingError | undefined
  #failuresInARow = 0

  constructor(mayRepeat: MayRepeat) {
    this.#mayRepeat = mayRepeat
  }

  /**
   * The pause before the request is sent again, never shorter than the error asks for.
   *
   * @param leftMs how much longer the client waits; the last attempt is made at the end of this time
   * @param fraction drawn at random, from 0 up to, not including, 1
   * @throws StarlingError the error for the user, if the request is not sent again
   */
  pauseMs(error: StarlingError, leftMs: number, fraction: number): number {
    const { code, retryAfterMs = 0 } = error
    const times = (this.#times.get(code) ?? 0) + 1
    // If a limit was only reached because the request was sent again, the user gets the earlier reason.
    if (code === 'RATE_LIMITED' && !this.#mayRepeat(error, times)) throw this.#sentAgainFor ?? error
    this.#times.set(code, times)
    this.#failuresInARow = code === this.#last?.code ? this.#failuresInARow + 1 : 1
    this.#last = error
    // Without a gateway nothing was sent.
    if (code !== 'GATEWAY_NOT_FOUND' && code !== 'RATE_LIMITED') this.#sentAgainFor = error
    const isPossible = leftMs > 0 && retryAfterMs <= leftMs
    if (!isPossible || !this.#mayRepeat(error, times)) throw error
    const delayMs = retryDelayMs(RETRY_DELAYS, this.#failuresInARow, fraction, error.retryAfterMs)
    return Math.min(delayMs, leftMs)
  }
}
