import ReadyResource from 'ready-resource'
import type { Clock, Timer } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import { repeat } from '../../facilities/clock/repeat.js'
import { untilFirstChunk } from '../../facilities/network/calls/first-chunk.js'
import type { Peers } from '../../facilities/network/calls/peers.js'
import {
  createOrigin,
  onBehalfOf,
  type RequestContext,
} from '../../facilities/network/calls/request-context.js'
import type { Service } from '../../facilities/network/calls/service.js'
import type {
  HealthProblem,
  WatchedWorker,
  WorkerMetric,
} from '../../facilities/worker/worker-health.js'
import type { ErrorCode } from '../../helpers/errors/error-codes.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import { isUnprocessed } from '../../helpers/errors/unprocessed-errors.js'
import { gatewayProtocol, MAX_LISTED_MODELS } from '../../helpers/protocol/gateway-protocol.js'
import type { RequestOf } from '../../helpers/protocol/method.js'
import { processorProtocol } from '../../helpers/protocol/processor-protocol.js'
import { retryDelayMs } from '../../helpers/routing/retry-delay.js'
import { type AccountCallSettings, AccountCalls } from './account-calls.js'
import { Admission, type AdmissionSettings, type AdmittedRequest } from './admission.js'
import { ProcessorDirectory } from './processor-directory.js'
import { Router } from './router.js'

/** Between two requests for the session keys, until they are known. */
const PREPARE_DELAYS = { firstMs: 400, mostMs: 400 }

/** Accepts clients: forwards registrations and logins to auth, admits requests and relays answers. */
export class GatewayWorker extends ReadyResource implements WatchedWorker {
  readonly #clock: Clock
  readonly #auth: Peers
  readonly #processors: Peers
  readonly #random: Random
  readonly #directory: ProcessorDirectory
  readonly #router: Router
  readonly #admission: Admission
  #preparing: Timer | null = null

  constructor(
    options: AdmissionSettings &
      AccountCallSettings & {
        service: Service
        auth: Peers
        processors: Peers
        /** The mesh's root public key, hexadecimal. */
        mesh: string
        clock: Clock
        random: Random
        loadIntervalMs: number
        /** For requests that name no model. Default: the model that is first on most processors. */
        defaultModel?: string | undefined
      },
  ) {
    super()
    this.#clock = options.clock
    this.#auth = options.auth
    this.#processors = options.processors
    this.#random = options.random
    this.#directory = new ProcessorDirectory(options)
    this.#router = new Router({ ...options, directory: this.#directory })
    const auth = () => this.#auth.connections[0]
    this.#admission = new Admission({ ...options, auth })
    const accounts = new AccountCalls({ ...options, auth })
    const gateway = this
    options.service
      .unary(gatewayProtocol.register, (request, context) => accounts.register(request, context))
      .unary(gatewayProtocol.login, (request, context) => accounts.login(request, context))
      .unary(gatewayProtocol.whoami, ({ credential }, context) =>
        this.#admission.identify(credential, onBehalfOf(context)),
      )
      .unary(gatewayProtocol.models, async ({ credential, model }, context) => {
        await this.#admission.identify(credential, onBehalfOf(context))
        if (model !== undefined) this.#router.assertAvailable(model)
        return { models: this.#directory.served.slice(0, MAX_LISTED_MODELS) }
      })
      .stream(gatewayProtocol.infer, async function* (request, context) {
        const admitted = await gateway.#admission.admit(request, onBehalfOf(context))
        try {
          const { model, answer, end } = await gateway
            .#begin(request, context, admitted)
            .catch((error: unknown) => {
              // A request that was not processed does not count against the rate limit of its user.
              if (isUnprocessed(error)) admitted.uncount()
              throw error
            })
          try {
            const last = yield* answer
            admitted.answered()
            return { ...last, model }
          } finally {
            end()
          }
        } catch (error) {
          if (isStarlingError(error, 'ENGINE_CRASHED')) admitted.crashed()
          throw error
        } finally {
          admitted.end()
        }
      })
  }

  problems(): readonly HealthProblem[] {
    const found: HealthProblem[] = []
    const note = (code: ErrorCode, message: string, blocks = true) =>
      found.push({ code, message, blocks })
    const hasKeys = this.#admission.knowsSessionKeys
    if (this.#auth.connections.length === 0) {
      // Sessions are verified without auth once its keys are known.
      note('AUTH_UNAVAILABLE', 'No auth worker is connected', !hasKeys)
    }
    if (!hasKeys) note('AUTH_UNAVAILABLE', 'The session keys are not known yet')
    if (this.#processors.connections.length === 0) {
      note('MODEL_UNAVAILABLE', 'No processor is connected')
    } else if (this.#directory.models.length === 0) {
      const onlyEmbeds = this.#directory.embeddingModels.length > 0
      const what = onlyEmbeds ? 'serves a model that answers prompts' : 'has a model loaded'
      note('MODEL_UNAVAILABLE', `No connected processor ${what}`)
    }
    return found
  }

  get metrics(): readonly WorkerMetric[] {
    return [
      {
        name: 'models',
        help: 'Models that connected processors serve',
        kind: 'gauge',
        value: () => this.#directory.models.length,
      },
    ]
  }

  protected override async _open(): Promise<void> {
    await this.#directory.ready()
    // Not deferred to the first request: without the keys this gateway is not ready for requests.
    const pauseMs = () => retryDelayMs(PREPARE_DELAYS, 1, this.#random.fraction())
    this.#preparing = repeat(this.#clock, pauseMs, () =>
      this.#admission.prepare({ origin: createOrigin(this.#clock, this.#random) }),
    )
  }

  protected override async _close(): Promise<void> {
    this.#preparing?.cancel()
    await this.#directory.close()
  }

  /** Sends a request to a processor and waits for the first token. @returns `end` must be called once */
  async #begin(
    request: RequestOf<typeof gatewayProtocol.infer>,
    context: RequestContext,
    admitted: AdmittedRequest,
  ) {
    const chosen = this.#router.route(request.model)
    const { processor, offer } = chosen
    const { name: model, reproducibility } = offer
    const { messages } = request
    const { seed = this.#random.below(2 ** 32) } = request.options
    const options = { ...request.options, seed }
    const head = { seed, model, ...(reproducibility && { reproducibility }) }
    admitted.begin(model, this.#directory.slots(model))
    const end = chosen.begin()
    const answer = processor.connection.open(
      processorProtocol.generate,
      { model, messages, options },
      onBehalfOf(context),
    )
    try {
      const whole = await untilFirstChunk(answer, (first) => ({ ...first, ...head }))
      return { model, answer: whole, end }
    } catch (error) {
      end()
      throw error
    }
  }
}
