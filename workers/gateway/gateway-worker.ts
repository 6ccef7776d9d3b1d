import ReadyResource from 'ready-resource'
import type { Clock, Timer } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import { repeat } from '../../facilities/clock/repeat.js'
import type { Peers } from '../../facilities/network/calls/peers.js'
import {
  createOrigin,
  onBehalfOf,
  type RequestContext,
} from '../../facilities/network/calls/request-context.js'
import type { Service } from '../../facilities/network/calls/service.js'
import type { StreamAnswer } from '../../facilities/network/calls/stream-answer.js'
import type {
  HealthProblem,
  WatchedWorker,
  WorkerMetric,
} from '../../facilities/worker/worker-health.js'
import type { ErrorCode } from '../../helpers/errors/error-codes.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import { isUnprocessed } from '../../helpers/errors/unprocessed-errors.js'
import type { EncodedChunk } from '../../helpers/protocol/chunk-codec.js'
import { gatewayProtocol, MAX_LISTED_MODELS } from '../../helpers/protocol/gateway-protocol.js'
import type { AnswerHead, GenerationEnd } from '../../helpers/protocol/generation.js'
import type { RequestOf } from '../../helpers/protocol/method.js'
import { processorProtocol } from '../../helpers/protocol/processor-protocol.js'
import { TokenOrder, type TokenPosition } from '../../helpers/protocol/token-chunk.js'
import { retryDelayMs } from '../../helpers/routing/retry-delay.js'
import { type AccountCallSettings, AccountCalls } from './account-calls.js'
import { Admission, type AdmissionSettings, type AdmittedRequest } from './admission.js'
import { ProcessorDirectory } from './processor-directory.js'
import { Router } from './router.js'

/** The answer of a processor, as it is passed on. */
type GeneratedAnswer = StreamAnswer<EncodedChunk<TokenPosition>, GenerationEnd, AnswerHead>

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
  #brokenAnswers = 0

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
      .stream(gatewayProtocol.infer, async (request, context) => {
        const admitted = await this.#admission.admit(request, onBehalfOf(context))
        try {
          return await this.#begin(request, context, admitted)
        } catch (error) {
          // A request that was not processed does not count against the rate limit of its user.
          if (isUnprocessed(error)) admitted.uncount()
          this.#note(error, admitted)
          admitted.end()
          throw error
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
      {
        name: 'brokenAnswers',
        help: 'Answers that ended because a processor broke the protocol',
        kind: 'counter',
        value: () => this.#brokenAnswers,
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

  /** Sends a request to a processor and waits for the beginning of its answer. */
  async #begin(
    request: RequestOf<typeof gatewayProtocol.infer>,
    context: RequestContext,
    admitted: AdmittedRequest,
  ) {
    const chosen = this.#router.route(request.model)
    const { processor, offer } = chosen
    const { name: model } = offer
    const { messages } = request
    const { seed = this.#random.below(2 ** 32) } = request.options
    const options = { ...request.options, seed }
    admitted.begin(model, this.#directory.slots(model))
    const end = chosen.begin()
    try {
      const answer = processor.connection.relay(
        processorProtocol.generate,
        { model, messages, options },
        onBehalfOf(context),
      )
      const head = { ...(await answer.head()), seed, model }
      return { head, chunks: this.#relay(answer, { model, admitted, end }) }
    } catch (error) {
      end()
      throw error
    }
  }

  /** Passes an answer on and checks that it is whole. */
  async *#relay(
    answer: GeneratedAnswer,
    { model, admitted, end }: { model: string; admitted: AdmittedRequest; end: () => void },
  ) {
    const order = new TokenOrder()
    try {
      for (;;) {
        const step = await answer.next()
        if (step.done) {
          admitted.answered()
          return { ...step.value, model }
        }
        order.take(step.value.start)
        yield step.value
      }
    } catch (error) {
      this.#note(error, admitted)
      throw error
    } finally {
      await answer.return(undefined as never)
      end()
      admitted.end()
    }
  }

  /** Counts what an answer failed with. */
  #note(error: unknown, admitted: AdmittedRequest): void {
    if (isStarlingError(error, 'ENGINE_CRASHED')) admitted.crashed()
    if (isStarlingError(error, 'PROTOCOL_VIOLATION')) this.#brokenAnswers += 1
  }
}
