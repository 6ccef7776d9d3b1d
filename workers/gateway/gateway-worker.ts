import ReadyResource from 'ready-resource'
import type { Clock } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import type { PeerConnection } from '../../facilities/network/peer-connection.js'
import { onBehalfOf } from '../../facilities/network/request-context.js'
import type { RolePeers } from '../../facilities/network/role-peers.js'
import type { Service } from '../../facilities/network/service.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { authProtocol } from '../../helpers/protocol/auth-protocol.js'
import { gatewayProtocol } from '../../helpers/protocol/gateway-protocol.js'
import { processorProtocol } from '../../helpers/protocol/processor-protocol.js'
import { pickOfTwo } from '../../helpers/routing/pick-of-two.js'
import { type KnownProcessor, ProcessorDirectory } from './processor-directory.js'
import { SessionVerifier } from './session-verifier.js'

/** The one door for clients: hands accounts to auth, verifies sessions, relays answers. */
export class GatewayWorker extends ReadyResource {
  readonly #auth: RolePeers
  readonly #random: Random
  readonly #directory: ProcessorDirectory
  readonly #sessions: SessionVerifier

  constructor(options: {
    service: Service
    auth: RolePeers
    processors: RolePeers
    /** The mesh's root public key, hexadecimal. */
    mesh: string
    clock: Clock
    random: Random
    loadIntervalMs: number
  }) {
    super()
    this.#auth = options.auth
    this.#random = options.random
    this.#directory = new ProcessorDirectory(options)
    this.#sessions = new SessionVerifier({
      mesh: options.mesh,
      clock: options.clock,
      auth: () => this.#auth.connections[0],
    })
    const gateway = this
    options.service
      .unary(gatewayProtocol.register, (request, context) =>
        this.#authWorker().call(authProtocol.register, request, onBehalfOf(context)),
      )
      .unary(gatewayProtocol.login, (request, context) =>
        this.#authWorker().call(authProtocol.login, request, onBehalfOf(context)),
      )
      .stream(gatewayProtocol.infer, async function* (request, context) {
        await gateway.#sessions.verify(request.credential, onBehalfOf(context))
        const model = request.model ?? gateway.#anyModel()
        const processor = gateway.#pick(model)
        processor.sentSince += 1
        const { messages, options } = request
        const end = yield* processor.connection.open(
          processorProtocol.generate,
          { model, messages, options },
          onBehalfOf(context),
        )
        return { ...end, model }
      })
  }

  protected override async _open(): Promise<void> {
    await this.#directory.ready()
  }

  protected override async _close(): Promise<void> {
    await this.#directory.close()
  }

  #authWorker(): PeerConnection {
    const connection = this.#auth.connections[0]
    if (connection !== undefined) return connection
    throw new StarlingError('AUTH_UNAVAILABLE', 'No auth worker is connected to the gateway', {
      retryAfterMs: 1000,
    })
  }

  #anyModel(): string {
    const [model] = this.#directory.models
    if (model !== undefined) return model
    throw new StarlingError('MODEL_UNAVAILABLE', 'No processor with a loaded model is connected', {
      retryAfterMs: 1000,
    })
  }

  #pick(model: string): KnownProcessor {
    const picked = pickOfTwo(this.#directory.serving(model), relativeLoad, (limit) =>
      this.#random.below(limit),
    )
    if (picked !== undefined) return picked
    const { models } = this.#directory
    throw new StarlingError(
      'MODEL_UNAVAILABLE',
      `No connected processor serves ${model}; ` +
        (models.length === 0 ? 'none has a model loaded' : `served are: ${models.join(', ')}`),
      { retryAfterMs: 1000 },
    )
  }
}

/** Answers in the making and waiting, for each that the processor can make at once. */
function relativeLoad({ load, sentSince }: KnownProcessor): number {
  return (load.running + load.queued + sentSince) / Math.max(1, load.slots)
}
