import type { Clock } from '../../facilities/clock/clock.js'
import type { ClientFolder, StoredSession } from '../../facilities/home/client-folder.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { type AccountCredential, accountCredentialSchema } from '../../helpers/protocol/account.js'
import { gatewayProtocol } from '../../helpers/protocol/gateway-protocol.js'
import { validateMessage } from '../../helpers/protocol/json-message.js'
import type { GatewayAccess } from './gateway-access.js'

/** A session with less time than this left is renewed before it is used. */
const LEAST_REMAINING_MS = 5_000

/** Signs the local account with the root key of the mesh. @returns base64; undefined without the key */
export type ProveLocal = (account: AccountCredential) => Promise<string | undefined>

/** Registers, logs in, and provides sessions for requests. */
export class ClientAccounts {
  readonly #gateway: GatewayAccess
  readonly #folder: ClientFolder
  readonly #clock: Clock
  readonly #waitMs: number
  readonly #proveLocal: ProveLocal | undefined

  /**
   * @param options.waitMs how long a login with the local account is repeated if it is refused for its rate
   * @param options.proveLocal Default: the local account is treated like any other
   */
  constructor(options: {
    gateway: GatewayAccess
    folder: ClientFolder
    clock: Clock
    waitMs: number
    proveLocal?: ProveLocal
  }) {
    this.#gateway = options.gateway
    this.#folder = options.folder
    this.#clock = options.clock
    this.#waitMs = options.waitMs
    this.#proveLocal = options.proveLocal
  }

  /**
   * Creates an account and logs in.
   *
   * @throws StarlingError INVALID_REQUEST before anything is sent; EMAIL_TAKEN; or as the call
   */
  async register(credential: AccountCredential, signal: AbortSignal): Promise<StoredSession> {
    const checked = validateMessage(credential, accountCredentialSchema, 'the account')
    await this.#gateway.call(gatewayProtocol.register, checked, signal)
    return await this.login(checked, signal)
  }

  /** Opens a session and stores it. @throws StarlingError INVALID_CREDENTIAL, or as the call */
  async login(credential: AccountCredential, signal: AbortSignal): Promise<StoredSession> {
    return await this.#login(credential, {}, signal)
  }

  async #login(
    credential: AccountCredential,
    proof: { readonly localProof?: string },
    signal: AbortSignal,
  ): Promise<StoredSession> {
    const checked = validateMessage(credential, accountCredentialSchema, 'the account')
    const request = { ...checked, ...proof }
    const { token, expiresInMs } = await this.#gateway.call(gatewayProtocol.login, request, signal)
    const session = {
      email: checked.email,
      token,
      expiresAt: this.#clock.now() + expiresInMs,
    }
    await this.#folder.saveSession(session)
    return session
  }

  /**
   * The session for requests: the stored one, or a new one of the local account if this home has one.
   *
   * @throws StarlingError NOT_LOGGED_IN
   */
  async session(signal: AbortSignal): Promise<StoredSession> {
    const kept = await this.#folder.session()
    if (kept && this.#lasts(kept)) return kept
    return await this.renew(signal)
  }

  /**
   * A new session of the local account, registered on its first use.
   *
   * @throws StarlingError NOT_LOGGED_IN when this home has no local account
   */
  async renew(signal: AbortSignal): Promise<StoredSession> {
    const kept = await this.#folder.session()
    const account = await this.#folder.localAccount()
    // A user who has logged in is not replaced by the local account when the session has expired.
    if (kept !== undefined && kept.email !== account?.email) {
      throw new StarlingError('NOT_LOGGED_IN', `The session of ${kept.email} has expired`)
    }
    if (account === undefined) throw new StarlingError('NOT_LOGGED_IN', 'There is no session')
    return await this.#openOwn(account, kept, signal)
  }

  /**
   * Logs in with the local account, which is registered first if the mesh does not know it.
   *
   * @param old the session to replace
   */
  async #openOwn(
    account: AccountCredential,
    old: StoredSession | undefined,
    signal: AbortSignal,
  ): Promise<StoredSession> {
    const localProof = await this.#proveLocal?.(account)
    const proof = localProof === undefined ? {} : { localProof }
    const endsAt = this.#clock.monotonic() + this.#waitMs
    const repeated = (action: () => Promise<StoredSession>) =>
      this.#repeat(endsAt, old, signal, action)
    try {
      return await repeated(() => this.#login(account, proof, signal))
    } catch (error) {
      if (!isStarlingError(error, 'INVALID_CREDENTIAL')) throw error
    }
    let refusal: unknown
    try {
      await this.#gateway.call(gatewayProtocol.register, account, signal)
    } catch (error) {
      // Another command of this home has registered it at the same time.
      if (!isStarlingError(error, 'EMAIL_TAKEN', 'RATE_LIMITED')) throw error
      refusal = error
    }
    try {
      return await repeated(() => this.#login(account, proof, signal))
    } catch (error) {
      const isUnknown = isStarlingError(error, 'INVALID_CREDENTIAL')
      throw isUnknown && isStarlingError(refusal, 'RATE_LIMITED') ? refusal : error
    }
  }

  /**
   * Repeats a login that was refused for its rate until `endsAt`, or takes the session that another
   * command of this home has opened meanwhile. No user has asked for this login, so no user can decide
   * whether to wait.
   */
  async #repeat(
    endsAt: number,
    old: StoredSession | undefined,
    signal: AbortSignal,
    action: () => Promise<StoredSession>,
  ): Promise<StoredSession> {
    for (;;) {
      try {
        return await action()
      } catch (error) {
        // A login that is refused as OVERLOADED, sent again and then delayed fails with OVERLOADED.
        if (!isStarlingError(error, 'RATE_LIMITED', 'OVERLOADED')) throw error
        if (error.retryAfterMs === undefined) throw error
        if (this.#clock.monotonic() + error.retryAfterMs > endsAt) throw error
        await this.#clock.sleep(error.retryAfterMs, signal)
      }
      const opened = await this.#folder.session()
      if (opened !== undefined && opened.token !== old?.token && this.#lasts(opened)) return opened
    }
  }

  #lasts(session: StoredSession): boolean {
    return session.expiresAt - this.#clock.now() > LEAST_REMAINING_MS
  }

  /**
   * Replaces a session that the mesh has refused, for example because the auth worker has new keys.
   *
   * @param refusal the error of the request with the old session
   * @throws StarlingError the refusal, if it had another reason or a new session needs a password
   */
  async replace(refusal: unknown, signal: AbortSignal): Promise<StoredSession> {
    if (!isStarlingError(refusal, 'INVALID_CREDENTIAL')) throw refusal
    try {
      return await this.renew(signal)
    } catch (error) {
      throw isStarlingError(error, 'NOT_LOGGED_IN') ? refusal : error
    }
  }

  /**
   * Sends a request with the session of this home, and again with a new session if the mesh refuses it.
   *
   * @throws StarlingError NOT_LOGGED_IN, or as the request
   */
  async withSession<T>(
    signal: AbortSignal,
    request: (session: StoredSession) => Promise<T>,
  ): Promise<T> {
    const session = await this.session(signal)
    try {
      return await request(session)
    } catch (error) {
      return await request(await this.replace(error, signal))
    }
  }
}
