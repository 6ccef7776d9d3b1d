import type { Clock } from '../../facilities/clock/clock.js'
import type { ClientFolder, StoredSession } from '../../facilities/home/client-folder.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { type AccountCredential, accountCredentialSchema } from '../../helpers/protocol/account.js'
import { gatewayProtocol } from '../../helpers/protocol/gateway-protocol.js'
import { validateMessage } from '../../helpers/protocol/json-message.js'
import type { GatewayAccess } from './gateway-access.js'

/** A session with less time than this left is renewed before it is used. */
const LEAST_REMAINING_MS = 5_000

/** Registers, logs in, and has the credential that a request needs. */
export class ClientAccounts {
  readonly #gateway: GatewayAccess
  readonly #folder: ClientFolder
  readonly #clock: Clock

  constructor(options: { gateway: GatewayAccess; folder: ClientFolder; clock: Clock }) {
    this.#gateway = options.gateway
    this.#folder = options.folder
    this.#clock = options.clock
  }

  /**
   * Makes an account and logs in.
   *
   * @throws StarlingError INVALID_REQUEST before anything is sent, EMAIL_TAKEN, or as the call
   */
  async register(credential: AccountCredential, signal: AbortSignal): Promise<StoredSession> {
    const checked = validateMessage(credential, accountCredentialSchema, 'the account')
    await this.#gateway.call(gatewayProtocol.register, checked, signal)
    return await this.login(checked, signal)
  }

  /** Opens a session and keeps it. @throws StarlingError INVALID_CREDENTIAL, or as the call */
  async login(credential: AccountCredential, signal: AbortSignal): Promise<StoredSession> {
    const checked = validateMessage(credential, accountCredentialSchema, 'the account')
    const { token, expiresInMs } = await this.#gateway.call(gatewayProtocol.login, checked, signal)
    const session = {
      email: checked.email,
      token,
      expiresAt: this.#clock.now() + expiresInMs,
    }
    await this.#folder.saveSession(session)
    return session
  }

  /**
   * The session to make requests with: the one that was kept, or, in a home that the mesh made an
   * account for, a new one of that account.
   *
   * @throws StarlingError NOT_LOGGED_IN
   */
  async session(signal: AbortSignal): Promise<StoredSession> {
    const kept = await this.#folder.session()
    if (kept && kept.expiresAt - this.#clock.now() > LEAST_REMAINING_MS) return kept
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
    // Whoever logged in here does not become somebody else because their session has ended.
    if (kept !== undefined && kept.email !== account?.email) {
      throw new StarlingError('NOT_LOGGED_IN', `The session of ${kept.email} has ended`)
    }
    if (account === undefined) throw new StarlingError('NOT_LOGGED_IN', 'There is no session')
    try {
      return await this.login(account, signal)
    } catch (error) {
      if (!isStarlingError(error, 'INVALID_CREDENTIAL')) throw error
    }
    try {
      return await this.register(account, signal)
    } catch (error) {
      if (!isStarlingError(error, 'EMAIL_TAKEN')) throw error
      // Another command of this home was faster.
      return await this.login(account, signal)
    }
  }

  /**
   * A session in place of one that the mesh did not accept: it was made anew, say, or its auth worker
   * was.
   *
   * @param refusal what the request with the old one failed with
   * @throws StarlingError the refusal, when it had another reason or a new session needs a password
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
   * Makes a request with the session of this home, and once more with a new one when the mesh does
   * not accept it.
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
