import type { ErrorCode } from '../../helpers/errors/error-codes.js'
import type { StarlingError } from '../../helpers/errors/starling-error.js'
import { retryDelayMs } from '../../helpers/retry-delay.js'

/** Between two tries. A new reason begins with the first pause again. */
const RETRY_DELAYS = { firstMs: 250, mostMs: 2_000 }

/**
 * Whether a request may be sent again after an error.
 *
 * @param times how often it has failed with this code, this time included
 */
export type MayRepeat = (error: StarlingError, times: number) => boolean

/** Decides, for one request, whether and when it is sent again. */
export class RetryPolicy {
  readonly #mayRepeat: MayRepeat
  readonly #times = new Map<ErrorCode, number>()
  #last: StarlingError | undefined
  #failuresInARow = 0

  constructor(mayRepeat: MayRepeat) {
    this.#mayRepeat = mayRepeat
  }

  /**
   * The pause before the request is sent again. Not shorter than the error asks for.
   *
   * @param leftMs how much longer the user waits, in milliseconds; the last try comes when that is over
   * @param fraction drawn at random, from 0 up to, not including, 1
   * @throws StarlingError what the user is to be told, when the request is not sent again
   */
  pauseMs(error: StarlingError, leftMs: number, fraction: number): number {
    const { code, retryAfterMs = 0 } = error
    // The limit of a user leaves the next question open for seconds, which are theirs to spend. A
    // request that was sent again without them is told for the reason that it was sent again.
    if (code === 'RATE_LIMITED') throw this.#last ?? error
    const times = (this.#times.get(code) ?? 0) + 1
    this.#times.set(code, times)
    this.#failuresInARow = code === this.#last?.code ? this.#failuresInARow + 1 : 1
    this.#last = error
    const isPossible = leftMs > 0 && retryAfterMs <= leftMs
    if (!isPossible || !this.#mayRepeat(error, times)) throw error
    const delayMs = retryDelayMs(RETRY_DELAYS, this.#failuresInARow, fraction, error.retryAfterMs)
    return Math.min(delayMs, leftMs)
  }
}
