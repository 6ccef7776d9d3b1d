import type { Clock } from '../../facilities/clock/clock.js'
import type { RequestContext } from '../../facilities/network/calls/request-context.js'
import { Service } from '../../facilities/network/calls/service.js'
import type {
  HealthProblem,
  WatchedWorker,
  WorkerMetric,
} from '../../facilities/worker/worker-health.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { isLocalAccountProof } from '../../helpers/identity/local-account-proof.js'
import { signSessionToken } from '../../helpers/identity/session-token.js'
import { authProtocol } from '../../helpers/protocol/auth-protocol.js'
import { rosterProtocol } from '../../helpers/protocol/roster-protocol.js'
import type { AccountCaller, Accounts } from './accounts.js'
import type { RosterWriter } from './roster-writer.js'
import type { SessionKeys } from './session-keys.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** A session cannot be revoked, so it has to expire. */
export const SESSION_LIFETIME = {
  minMs: MINUTE_MS,
  defaultMs: 12 * HOUR_MS,
  maxMs: 30 * 24 * HOUR_MS,
} as const

/** The parts of an auth worker. Their creator closes them. */
export interface AuthWorkerParts {
  readonly accounts: Accounts
  readonly sessionKeys: SessionKeys
  readonly clock: Clock
  /** The mesh's name: its root public key, hexadecimal. */
  readonly mesh: string
  /** Left out: this worker writes no roster. */
  readonly roster?: Pick<RosterWriter, 'enlist' | 'problems'>
  /** How long a session lasts, in milliseconds. Default: `SESSION_LIFETIME.defaultMs`. */
  readonly sessionLifetimeMs?: number
}

/** Registers users, opens sessions and publishes the public session keys. */
export class AuthWorker implements WatchedWorker {
  readonly #accounts: Accounts
  readonly #sessionKeys: SessionKeys
  readonly #clock: Clock
  readonly #mesh: string
  readonly #sessionLifetimeMs: number
  readonly #roster: AuthWorkerParts['roster']

  /** @throws StarlingError CONFIG_INVALID when the lifetime is outside of `SESSION_LIFETIME` */
  constructor(parts: AuthWorkerParts) {
    this.#accounts = parts.accounts
    this.#sessionKeys = parts.sessionKeys
    this.#clock = parts.clock
    this.#mesh = parts.mesh
    this.#roster = parts.roster
    this.#sessionLifetimeMs = parts.sessionLifetimeMs ?? SESSION_LIFETIME.defaultMs
    assertLifetime(this.#sessionLifetimeMs)
  }

  /**
   * Adds the methods of this worker: `authProtocol.register`, `login` and `sessionKeys`, and
   * `rosterProtocol.enlist` if it writes the roster.
   *
   * @param service Default: a new one
   */
  service(service = new Service()): Service {
    const roster = this.#roster
    if (roster !== undefined) {
      service.unary(rosterProtocol.enlist, async (_request, { peer }) => ({
        sequence: await roster.enlist(peer.certificate),
      }))
    }
    return service
      .unary(authProtocol.register, ({ peer, ...credential }, context) =>
        this.#accounts.register(credential, callerOf(peer, context)),
      )
      .unary(authProtocol.login, async ({ peer, localProof, ...credential }, context) => {
        const { userId } = await this.#accounts.authenticate(credential, callerOf(peer, context))
        const isLocal =
          localProof !== undefined && isLocalAccountProof(localProof, this.#mesh, credential)
        return this.#openSession(userId, isLocal)
      })
      .unary(authProtocol.sessionKeys, async () => ({ keys: this.#sessionKeys.publicKeys() }))
  }

  problems(): readonly HealthProblem[] {
    return [...this.#accounts.problems(), ...(this.#roster?.problems() ?? [])]
  }

  get metrics(): readonly WorkerMetric[] {
    return this.#accounts.metrics
  }

  #openSession(userId: string, isLocal: boolean): { token: string; expiresInMs: number } {
    const token = signSessionToken({
      userId,
      isLocal,
      mesh: this.#mesh,
      keyId: this.#sessionKeys.keyId,
      privateKeyPem: this.#sessionKeys.privateKey,
      nowMs: this.#clock.now(),
      lifetimeMs: this.#sessionLifetimeMs,
    })
    return { token, expiresInMs: this.#sessionLifetimeMs }
  }
}

/** @param peer the client that the gateway calls for */
function callerOf(peer: string, context: RequestContext): AccountCaller {
  const gateway = Buffer.from(context.peer.publicKey).toString('hex')
  return { gateway, peer, signal: context.signal }
}

function assertLifetime(lifetimeMs: number): void {
  const { minMs, maxMs } = SESSION_LIFETIME
  if (Number.isInteger(lifetimeMs) && lifetimeMs >= minMs && lifetimeMs <= maxMs) return
  throw new StarlingError(
    'CONFIG_INVALID',
    `sessionLifetimeMs is ${lifetimeMs}; it has to be a whole number from ${minMs} to ${maxMs}`,
  )
}
