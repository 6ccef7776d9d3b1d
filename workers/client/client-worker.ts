import type { Clock } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import type { ClientFolder } from '../../facilities/home/client-folder.js'
import type { Peers } from '../../facilities/network/calls/peers.js'
import type { StarlingError } from '../../helpers/errors/starling-error.js'
import { gatewayProtocol, type ServedModel } from '../../helpers/protocol/gateway-protocol.js'
import { ClientAccounts, type ProveLocal } from './accounts.js'
import { type AnswerEnd, type AnswerToken, ask, type ChatRequest } from './chat-request.js'
import { GatewayAccess } from './gateway-access.js'

/** The client of a mesh: accounts, models and requests. */
export class ClientWorker {
  /** Registers and logs in. */
  readonly accounts: ClientAccounts
  readonly #gateway: GatewayAccess

  constructor(options: {
    gateways: Peers
    folder: ClientFolder
    /** Describes to the user which gateways are looked for, and how. */
    lookedFor: string
    /** How long to wait for workers that are not running yet, in milliseconds. */
    waitMs: number
    /** Called once for each new reason to wait. */
    onWaiting: (reason: StarlingError) => void
    /** Default: the local account is treated like any other. */
    proveLocal?: ProveLocal
    clock: Clock
    random: Random
  }) {
    this.#gateway = new GatewayAccess(options)
    this.accounts = new ClientAccounts({ ...options, gateway: this.#gateway })
  }

  /** The user of this home's session, as verified by the mesh. @throws StarlingError NOT_LOGGED_IN, or as the call */
  async whoami(
    signal: AbortSignal,
  ): Promise<{ email: string; userId: string; expiresInMs: number }> {
    return await this.accounts.withSession(signal, async ({ email, token: credential }) => ({
      email,
      ...(await this.#gateway.call(gatewayProtocol.whoami, { credential }, signal)),
    }))
  }

  /**
   * The available models.
   *
   * @param model a model that must be among them
   * @throws StarlingError NOT_LOGGED_IN; MODEL_NOT_FOUND, MODEL_UNAVAILABLE or NOT_SUPPORTED as a
   *   request for `model` would; or as the call
   */
  async models(signal: AbortSignal, model?: string): Promise<ServedModel[]> {
    return await this.accounts.withSession(signal, async ({ token: credential }) => {
      const request = { credential, ...(model !== undefined && { model }) }
      const { models } = await this.#gateway.call(gatewayProtocol.models, request, signal)
      return models
    })
  }

  /** Streams an answer. @throws StarlingError NOT_LOGGED_IN, or as the stream */
  ask(request: ChatRequest, signal: AbortSignal): AsyncGenerator<AnswerToken, AnswerEnd, void> {
    return ask(request, this.#gateway, this.accounts, signal)
  }
}
