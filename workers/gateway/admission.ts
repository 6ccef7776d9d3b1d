import type { Clock } from '../../facilities/clock/clock.js'
import type { CallOptions } from '../../facilities/network/calls/request-context.js'
import type { OutgoingConnection } from '../../facilities/network/connection/outgoing-connection.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { createRateLimit } from '../../helpers/limits/gcra.js'
import { type ChatMessage, promptBytes } from '../../helpers/protocol/chat-message.js'
import { AnswerLimiter, type AnswersPerUser } from './answer-limiter.js'
import { CrashDelays } from './crash-delays.js'
import { RateLimiter } from './rate-limiter.js'
import { SessionVerifier } from './session-verifier.js'

/** What one user may ask of one gateway. Comes from the configuration. */
export interface AdmissionSettings {
  readonly rateLimit: RateLimitSettings
  readonly answersPerUser: AnswersPerUser
  /** All message contents of one conversation together, in UTF-8. */
  readonly maxPromptBytes: number
  /** Messages in one conversation. */
  readonly maxPromptMessages: number
}

/** A question that was admitted and counted. */
export interface AdmittedRequest {
  /** Does not count it against the rate limit: no processor took it. */
  uncount(): void
  /**
   * Counts its answer as in progress until `end`, or until `begin` is called again.
   *
   * @param slots the number of slots for the model, of all processors that may be asked
   * @throws StarlingError RATE_LIMITED when the user has too many answers in progress
   */
  begin(model: string, slots: number): void
  /** Its engine crashed. */
  crashed(): void
  /** Its answer came to its end. */
  answered(): void
  /** Its answer has ended, or was never begun. Further calls do nothing. */
  end(): void
}

/** Decides who may ask: whose session it is, how large a prompt may be, how often, and how many at once. */
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
      auth: () => OutgoingConnection | undefined
    },
  ) {
    this.#sessions = new SessionVerifier(options)
    this.#rates = createRequestLimiter(options)
    this.#answers = new AnswerLimiter(options)
    this.#crashes = new CrashDelays(options.clock)
    this.#settings = options
    this.#clock = options.clock
  }

  /** Whether sessions can be verified at all. */
  get knowsSessionKeys(): boolean {
    return this.#sessions.hasKeys
  }

  /** Gets what sessions are verified with, if it is not there yet and can be had. */
  async prepare(options: CallOptions): Promise<void> {
    await this.#sessions.prepare(options)
  }

  /**
   * Whose session it is. Costs the user nothing.
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
   * Admits a question and counts it. Questions of the owner's account are neither counted nor delayed.
   *
   * @throws StarlingError INVALID_CREDENTIAL, AUTH_UNAVAILABLE, PAYLOAD_TOO_LARGE, RATE_LIMITED
   */
  async admit(
    request: { readonly credential: string; readonly messages: readonly ChatMessage[] },
    options: CallOptions,
  ): Promise<AdmittedRequest> {
    const { userId, isLocal } = await this.#sessions.verify(request.credential, options)
    // Before it is counted: a question that is too large can never be answered.
    this.#assertSize(request.messages)
    if (isLocal !== true) this.#crashes.assertOver(userId)
    const uncount = isLocal === true ? () => undefined : this.#rates.admit(userId)
    let leave: (() => void) | undefined
    return {
      uncount,
      begin: (model, slots) => {
        leave?.()
        leave = this.#answers.take(userId, model, slots)
      },
      crashed: () => this.#crashes.crashed(userId),
      answered: () => this.#crashes.answered(userId),
      end: () => leave?.(),
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

/** How often one user may ask. Comes from the configuration. */
export interface RateLimitSettings {
  /** 0 sets no limit. */
  readonly perMinute: number
  /** How many of them may come at once; as many as in a minute when left out. */
  readonly burst?: number | undefined
  /** Users whose state is kept at once; one more is asked to come back. */
  readonly maxUsers: number
}

/** Limits how often each user may ask this gateway; by user id. RATE_LIMITED when it is too often. */
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
    tooEarly: (retryAfterMs) => refused(perMinute, retryAfterMs),
  })
}

function refused(perMinute: number, retryAfterMs: number): StarlingError {
  const seconds = Math.ceil(retryAfterMs / 100) / 10
  return new StarlingError(
    'RATE_LIMITED',
    `You may send ${perMinute} requests per minute; ` +
      `the next one is accepted in ${seconds.toFixed(1)} s`,
    { retryAfterMs },
  )
}
