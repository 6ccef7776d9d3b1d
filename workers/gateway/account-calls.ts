import type { Clock } from '../../facilities/clock/clock.js'
import type { Peer } from '../../facilities/network/calls/peers.js'
import { onBehalfOf, type RequestContext } from '../../facilities/network/calls/request-context.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { isUnprocessed } from '../../helpers/errors/unprocessed-errors.js'
import { createRateLimit } from '../../helpers/limits/gcra.js'
import type { AccountCredential, LoginRequest, Session } from '../../helpers/protocol/account.js'
import { authProtocol } from '../../helpers/protocol/auth-protocol.js'
import { RateLimiter } from './rate-limiter.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** How often one client may register and log in. Comes from the configuration. */
export interface AccountCallSettings {
  /** Also the burst. 0 sets no limit. */
  readonly registrationsPerHour: number
  /** Also the burst. 0 sets no limit. */
  readonly loginsPerMinute: number
  /** Clients that are counted at the same time, for each limit; calls of further clients are refused. */
  readonly maxCountedClients: number
}

/**
 * Forwards registrations and logins to the auth worker, within the rate limits of each client. A client
 * is identified by its public key, which its connection authenticates. The key is forwarded to auth,
 * which serves the clients in turn.
 */
export class AccountCalls {
  readonly #auth: () => Peer | undefined
  readonly #registrations: RateLimiter
  readonly #logins: RateLimiter

  /** @param options.auth a connection to an auth worker, undefined while there is none */
  constructor(
    options: AccountCallSettings & {
      clock: Clock
      auth: () => Peer | undefined
    },
  ) {
    const { clock, auth, registrationsPerHour, loginsPerMinute } = options
    this.#auth = auth
    const limiter = (count: number, periodMs: number, what: string) =>
      new RateLimiter({
        clock,
        maxKeys: options.maxCountedClients,
        limit: count === 0 ? null : createRateLimit(count, count, periodMs),
        fullMessage: 'Too many clients register or log in at this gateway',
        tooEarly: (retryAfterMs) => tooMany(`${count} ${what}`, retryAfterMs),
      })
    this.#registrations = limiter(registrationsPerHour, HOUR_MS, 'registrations per hour')
    this.#logins = limiter(loginsPerMinute, MINUTE_MS, 'logins per minute')
  }

  /**
   * Creates an account.
   *
   * @throws StarlingError RATE_LIMITED, AUTH_UNAVAILABLE, OVERLOADED, or as `authProtocol.register`
   */
  async register(
    credential: AccountCredential,
    context: RequestContext,
  ): Promise<{ userId: string }> {
    return await this.#counted(this.#registrations, context, (auth, peer) =>
      auth.call(authProtocol.register, { ...credential, peer }, onBehalfOf(context)),
    )
  }

  /**
   * Opens a session.
   *
   * @throws StarlingError RATE_LIMITED, AUTH_UNAVAILABLE, OVERLOADED, or as `authProtocol.login`
   */
  async login(request: LoginRequest, context: RequestContext): Promise<Session> {
    return await this.#counted(this.#logins, context, (auth, peer) =>
      auth.call(authProtocol.login, { ...request, peer }, onBehalfOf(context)),
    )
  }

  async #counted<T>(
    limiter: RateLimiter,
    { peer }: RequestContext,
    call: (auth: Peer, peer: string) => Promise<T>,
  ): Promise<T> {
    const auth = this.#auth()
    if (auth === undefined) {
      throw new StarlingError('AUTH_UNAVAILABLE', 'No auth worker is connected to the gateway')
    }
    const client = Buffer.from(peer.publicKey).toString('hex')
    const uncount = limiter.admit(client)
    try {
      return await call(auth, client)
    } catch (error) {
      if (isNotProcessed(error)) uncount()
      throw error
    }
  }
}

/** Whether auth did not process a call, so that it does not count against the limit. */
function isNotProcessed(error: unknown): boolean {
  // A login that auth delays after failures counts. Otherwise it could be repeated without a limit.
  if (isStarlingError(error, 'RATE_LIMITED')) return false
  return isUnprocessed(error) || isStarlingError(error, 'DISK_FULL', 'DISK_FAILED')
}

function tooMany(limit: string, retryAfterMs: number): StarlingError {
  const wait =
    retryAfterMs < 2 * MINUTE_MS
      ? `${roundedUp(retryAfterMs / 1000)} s`
      : `${roundedUp(retryAfterMs / MINUTE_MS)} min`
  return new StarlingError(
    'RATE_LIMITED',
    `A client may make ${limit} at this gateway; the next one is accepted in ${wait}`,
    { retryAfterMs },
  )
}

function roundedUp(value: number): string {
  return (Math.ceil(value * 10) / 10).toFixed(1)
}
