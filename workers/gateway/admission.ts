import type { Clock } from '../../facilities/clock/clock.js'
import type { Peer } from '../../facilities/network/calls/peers.js'
import type { CallOptions } from '../../facilities/network/calls/request-context.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { createRateLimit } from '../../helpers/limits/gcra.js'
import { type ChatMessage, promptBytes } from '../../helpers/protocol/chat-message.js'
import { AnswerLimiter, type AnswersPerUser } from './answer-limiter.js'
import { CrashDelays } from './crash-delays.js'
import { RateLimiter } from './rate-limiter.js'
import { SessionVerifier } from './session-verifier.js'

/** The limits of one user at one gateway. Comes from the configuration. */
export interface AdmissionSettings {
  readonly rateLimit: RateLimitSettings
  readonly answersPerUser: AnswersPerUser
  /** All message contents of one conversation together, in UTF-8. */
  readonly maxPromptBytes: number
  /** Messages in one conversation. */
  readonly maxPromptMessages: number
}

/** A request that was admitted and counted. */
export interface AdmittedRequest {
  /** Does not count it against the rate limit, because no processor accepted it. */
  uncount(): void
  /**
   * Counts its answer as in progress until `end`, or until `begin` is called again.
   *
   * @param slots the number of slots for the model, of all processors that serve it
   * @throws StarlingError RATE_LIMITED when the user has too many answers in progress
   */
  begin(model: string, slots: number): void
  /** Its engine crashed. */
  crashed(): void
  /** Its answer is complete. */
  answered(): void
  /** Its answer has ended or was never begun. Further calls do nothing. */
  end(): void
}

/** Admits requests: verifies sessions, and limits the size, rate and concurrency of each user's requests. */
export class Admission {
  readonly #sessions: SessionVerifier
  readonly #rates: RateLimiter
  readonly #answers: AnswerLimiter
  readonly #crashes: CrashDelays
  readonly #settings: AdmissionSettings
  readonly #clock: Clock

  /** @param options.auth a connection to an auth worker, undefined while there is none */
  constructor(
    options: AdmissionSettings & {
      mesh: string
      clock: Clock
      auth: () => Peer | undefined
    },
  ) {
    this.#sessions = new SessionVerifier(options)
    this.#rates = createRequestLimiter(options)
    this.#answers = new AnswerLimiter(options)
    this.#crashes = new CrashDelays(options.clock)
    this.#settings = options
    this.#clock = options.clock
  }

  /** Whether sessions can be verified. */
  get knowsSessionKeys(): boolean {
    return this.#sessions.hasKeys
  }

  /** Fetches the session keys if they are not known yet and an auth worker is connected. */
  async prepare(options: CallOptions): Promise<void> {
    await this.#sessions.prepare(options)
  }

  /**
   * Identifies the user of a session. Not counted against any limit.
   *
   * @throws StarlingError INVALID_CREDENTIAL, AUTH_UNAVAILABLE
   */
  async identify(
    credential: string,
    options: CallOptions,
  ): Promise<{ userId: string; expiresInMs: number }> {
    const { userId, expiresAtMs } = await this.#sessions.verify(credential, options)
    // A session is accepted for the clock allowance longer.
    return { userId, expiresInMs: Math.max(0, Math.floor(expiresAtMs - this.#clock.now())) }
  }

  /**
   * Admits a request and counts it. Requests of the owner's account are neither counted nor delayed.
   *
   * @throws StarlingError INVALID_CREDENTIAL, AUTH_UNAVAILABLE, PAYLOAD_TOO_LARGE, RATE_LIMITED
   */
  async admit(
    request: { readonly credential: string; readonly messages: readonly ChatMessage[] },
    options: CallOptions,
  ): Promise<AdmittedRequest> {
    const { userId, isLocal } = await this.#sessions.verify(request.credential, options)
    // Before it is counted: a request that is too large can never be answered.
    this.#assertSize(request.messages)
    if (isLocal !== true) this.#crashes.assertOver(userId)
    const uncount = isLocal === true ? () => undefined : this.#rates.admit(userId)
    let release: (() => void) | undefined
    return {
      uncount,
      begin: (model, slots) => {
        release?.()
        release = this.#answers.acquire(userId, model, slots)
      },
      crashed: () => this.#crashes.crashed(userId),
      answered: () => this.#crashes.answered(userId),
      end: () => release?.(),
    }
  }

  #assertSize(messages: readonly ChatMessage[]): void {
    const { maxPromptBytes, maxPromptMessages } = this.#settings
    if (messages.length > maxPromptMessages) {
      throw new StarlingError(
        'PAYLOAD_TOO_LARGE',
        `The conversation has ${messages.length} messages; the limit is ${maxPromptMessages}`,
      )
    }
    const sizeBytes = promptBytes(messages)
    if (sizeBytes <= maxPromptBytes) return
    throw new StarlingError(
      'PAYLOAD_TOO_LARGE',
      `The prompt has ${sizeBytes} bytes; the limit is ${maxPromptBytes}`,
    )
  }
}

/** The rate limit of each user. Comes from the configuration. */
export interface RateLimitSettings {
  /** 0 sets no limit. */
  readonly perMinute: number
  /** How many of them may come at once. Default: `perMinute`. */
  readonly burst?: number | undefined
  /** Users that are counted at the same time; requests of further users are refused. */
  readonly maxUsers: number
}

/** The rate limiter for requests, by user id. */
export function createRequestLimiter(options: {
  rateLimit: RateLimitSettings
  clock: Clock
}): RateLimiter {
  const { perMinute, burst = perMinute, maxUsers } = options.rateLimit
  return new RateLimiter({
    clock: options.clock,
    limit: perMinute === 0 ? null : createRateLimit(perMinute, burst),
    maxKeys: maxUsers,
    fullMessage: 'Too many users are active at this gateway',
    tooEarly: (retryAfterMs) => tooEarly(perMinute, retryAfterMs),
  })
}

function tooEarly(perMinute: number, retryAfterMs: number): StarlingError {
  const seconds = Math.ceil(retryAfterMs / 100) / 10
  return new StarlingError(
    'RATE_LIMITED',
    `You may send ${perMinute} requests per minute; ` +
      `the next one is accepted in ${seconds.toFixed(1)} s`,
    { retryAfterMs },
  )
}
