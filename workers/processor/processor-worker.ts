import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import type { EngineStatus, GenerateRequest } from '../../facilities/engine/engine.js'
import type { Service } from '../../facilities/network/calls/service.js'
import type {
  HealthProblem,
  WatchedWorker,
  WorkerMetric,
} from '../../facilities/worker/worker-health.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import type { AnswerHead, GenerationEnd, Token } from '../../helpers/protocol/generation.js'
import {
  type OfferedModel,
  type ProcessorLoad,
  processorProtocol,
} from '../../helpers/protocol/processor-protocol.js'
import type { EnginePool, ModelUse } from './engine-pool.js'
import type { EngineOffer } from './pooled-model.js'
import type { ServerWatch } from './server-watch.js'

/**
 * Answers conversations with the engines of its pool, which it owns. Ready at once, so that it can
 * report that the first model is still being prepared; see {@link serving}.
 */
export class ProcessorWorker extends ReadyResource implements WatchedWorker {
  readonly #pool: EnginePool
  readonly #servers: ServerWatch | undefined
  #adding: Promise<unknown> = Promise.resolve()
  #loading: Promise<void> | null = null
  #isServing = false

  /**
   * @param options.servers the servers that run some of the models; default: none. If the pool is empty, it
   *   gets the models of the first server that answers
   * @param options.allowRepetition whether answers may repeat themselves without end, if a request does
   *   not set it. Default false.
   */
  constructor(options: {
    service: Service
    pool: EnginePool
    servers?: ServerWatch
    allowRepetition?: boolean
  }) {
    super()
    const { allowRepetition = false } = options
    this.#pool = options.pool
    this.#servers = options.servers
    this.#servers?.on('found', (_, offers: readonly EngineOffer[]) => {
      this.#adding = this.#adding.then(() => this.#add(offers)).catch(safetyCatch)
    })
    options.service
      .unary(processorProtocol.load, async () => this.load())
      .stream(processorProtocol.generate, async ({ model, ...request }, { signal }) => {
        this.#assertServing()
        this.#assertAnswers(model)
        const use = await this.#pool.use(model, signal)
        const withDefaults = { ...request, options: { allowRepetition, ...request.options } }
        return await beginAnswer(use, withDefaults, signal)
      })
  }

  /** Which models are offered and how busy the worker is; none before it can answer with one. */
  load(): ProcessorLoad {
    return { models: this.#isServing ? this.#pool.offered : [] }
  }

  problems(): readonly HealthProblem[] {
    const waiting = this.#servers?.problems(!this.#canAnswer()) ?? []
    if (!this.#isServing) {
      const message = 'The processor is still preparing its model'
      const preparing = { code: 'MODEL_UNAVAILABLE' as const, message, blocks: true }
      return this.#pool.isEmpty && waiting.length > 0 ? waiting : [preparing, ...waiting]
    }
    const used = this.#pool.keptStates
    const down = used.filter((state) => state !== 'running')
    if (down.length === 0) return waiting
    const isStarting = down.includes('starting')
    const message = isStarting
      ? 'The engine has crashed and is starting again'
      : 'The engine has crashed; the next request starts it again'
    // With another model, the worker can still answer.
    const blocks = isStarting && down.length === used.length
    return [{ code: 'ENGINE_CRASHED', message, blocks }, ...waiting]
  }

  get metrics(): readonly WorkerMetric[] {
    const sum = (of: (model: OfferedModel) => number) => () =>
      this.#pool.offered.reduce((total, model) => total + of(model), 0)
    return [
      {
        name: 'slots',
        help: 'Answers that can be produced concurrently',
        kind: 'gauge',
        value: sum(({ slots }) => slots),
      },
      {
        name: 'slotsBusy',
        help: 'Answers in progress',
        kind: 'gauge',
        value: sum(({ running }) => running),
      },
      {
        name: 'queueLength',
        help: 'Requests that wait for a slot',
        kind: 'gauge',
        value: sum(({ queued }) => queued),
      },
      {
        name: 'modelsLoaded',
        help: 'Models that are in memory',
        kind: 'gauge',
        value: sum(({ isLoaded }) => (isLoaded ? 1 : 0)),
      },
      {
        name: 'memoryTakenBytes',
        help: 'Estimated memory of the loaded models',
        kind: 'gauge',
        value: () => this.#pool.resources.takenBytes,
      },
      {
        name: 'memoryShareBytes',
        help: 'Share of this processor in the memory of all processors of its home',
        kind: 'gauge',
        value: () => this.#pool.resources.shareBytes,
      },
      {
        name: 'threadShare',
        help: 'Threads that the models may compute with; 0: no limit',
        kind: 'gauge',
        value: () => this.#pool.resources.threads ?? 0,
      },
      {
        name: 'engineRestarts',
        help: 'Times that an engine was started again after a crash',
        kind: 'counter',
        value: () => this.#statuses().reduce((total, { restarts }) => total + restarts, 0),
      },
    ]
  }

  /** Resolves when the first model is loaded. @throws StarlingError as its engine */
  async serving(): Promise<void> {
    await this.ready()
    await this.#loading
  }

  protected override async _open(): Promise<void> {
    this.#loading = this.#prepare().then(() => {
      this.#isServing = true
    })
    // serving() reports a failure.
    this.#loading.catch(() => undefined)
  }

  protected override async _close(): Promise<void> {
    await this.#adding
    await this.#pool.close()
  }

  /** Loads the first model. If the pool is empty, the worker waits for a server that has some. */
  async #prepare(): Promise<void> {
    for (;;) {
      if (!this.#pool.isEmpty || this.#servers === undefined) {
        try {
          return await this.#pool.loadFirst()
        } catch (error) {
          // A server that has ended since it listed its models may come back.
          if (this.#servers === undefined || !isStarlingError(error, 'ENGINE_UNREACHABLE'))
            throw error
        }
      }
      await this.#servers.answered()
      await this.#adding
    }
  }

  async #add(offers: readonly EngineOffer[]): Promise<void> {
    const refused = await this.#pool.add(offers)
    if (refused.length > 0) this.#servers?.refused(refused)
  }

  /** Whether there is a model that can be used at the moment. */
  #canAnswer(): boolean {
    return this.#pool.offered.some(({ hindrance }) => hindrance !== 'failure')
  }

  /** Checked before the model is loaded, because another one may be unloaded for it. */
  #assertAnswers(model: string): void {
    if (this.#pool.purposeOf(model) !== 'embedding') return
    throw new StarlingError(
      'NOT_SUPPORTED',
      `${model} is an embedding model and cannot answer prompts`,
    )
  }

  #statuses(): EngineStatus[] {
    return this.#pool.engines.flatMap((engine) => engine.status?.() ?? [])
  }

  #assertServing(): void {
    if (this.#isServing) return
    const [why] = this.problems()
    throw new StarlingError(
      'MODEL_UNAVAILABLE',
      why?.message ?? 'The processor is still preparing its model',
    )
  }
}

/** Starts an answer and waits for its first token. With that, its model is loaded. */
async function beginAnswer(
  use: ModelUse,
  request: GenerateRequest,
  signal: AbortSignal,
): Promise<{ head: AnswerHead; chunks: AsyncGenerator<Token, GenerationEnd, void> }> {
  const tokens = use.engine.generate(request, signal)
  try {
    const first = await tokens.next()
    const { reproducibility, fingerprint } = use.engine.info()
    const head = { reproducibility, ...(fingerprint !== null && { fingerprint }) }
    return { head, chunks: answerOf(use, tokens, first) }
  } catch (error) {
    await tokens.return(undefined as never)
    use.failed(error)
    use.release()
    throw error
  }
}

async function* answerOf(
  use: ModelUse,
  tokens: AsyncGenerator<Token, GenerationEnd, void>,
  first: IteratorResult<Token, GenerationEnd>,
): AsyncGenerator<Token, GenerationEnd, void> {
  try {
    for (let step = first; ; step = await tokens.next()) {
      if (step.done) {
        use.answered()
        return step.value
      }
      yield step.value
    }
  } catch (error) {
    use.failed(error)
    throw error
  } finally {
    await tokens.return(undefined as never)
    use.release()
  }
}
