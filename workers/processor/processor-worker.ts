import ReadyResource from 'ready-resource'
import type { EngineStatus } from '../../facilities/engine/engine.js'
import type { Service } from '../../facilities/network/service.js'
import type { Figure, Impediment, WatchedWorker } from '../../facilities/process/worker-health.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import {
  type OfferedModel,
  type ProcessorLoad,
  processorProtocol,
} from '../../helpers/protocol/processor-protocol.js'
import type { EnginePool } from './engine-pool.js'

/**
 * Answers conversations with the engines of the pool that it is given, and owns it. Ready at once,
 * so that it can say that the first model is still being prepared; see {@link serving}.
 */
export class ProcessorWorker extends ReadyResource implements WatchedWorker {
  readonly #pool: EnginePool
  #loading: Promise<void> | null = null
  #isServing = false

  /**
   * @param options.allowRepetition whether answers may repeat themselves without end, if a question does
   *   not say. Default false.
   */
  constructor(options: { service: Service; pool: EnginePool; allowRepetition?: boolean }) {
    super()
    const { allowRepetition = false } = options
    this.#pool = options.pool
    const worker = this
    options.service
      .unary(processorProtocol.load, async () => this.load())
      .stream(processorProtocol.generate, async function* ({ model, ...request }, { signal }) {
        worker.#assertServing()
        worker.#assertAnswers(model)
        const use = await worker.#pool.use(model, signal)
        try {
          const asked = { ...request, options: { allowRepetition, ...request.options } }
          const end = yield* use.engine.generate(asked, signal)
          use.answered()
          return end
        } catch (error) {
          use.failed(error)
          throw error
        } finally {
          use.release()
        }
      })
  }

  /** Which models are offered and how busy the worker is; none before it can answer with one. */
  load(): ProcessorLoad {
    return { models: this.#isServing ? this.#pool.offered : [] }
  }

  impediments(): readonly Impediment[] {
    if (!this.#isServing) {
      const message = 'The processor is still preparing its model'
      return [{ code: 'MODEL_UNAVAILABLE', message, blocks: true }]
    }
    const used = this.#pool.keptStates
    const down = used.filter((state) => state !== 'running')
    if (down.length === 0) return []
    const isStarting = down.includes('starting')
    const message = isStarting
      ? 'The engine has crashed and is starting again'
      : 'The engine has crashed; the next request starts it again'
    // With another model to answer with, the worker is still of use.
    return [{ code: 'ENGINE_CRASHED', message, blocks: isStarting && down.length === used.length }]
  }

  get figures(): readonly Figure[] {
    const sum = (of: (model: OfferedModel) => number) => () =>
      this.#pool.offered.reduce((total, model) => total + of(model), 0)
    return [
      {
        name: 'slots',
        help: 'Answers that can be made side by side',
        kind: 'gauge',
        value: sum(({ slots }) => slots),
      },
      {
        name: 'slotsBusy',
        help: 'Answers in the making',
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
    this.#loading = this.#pool.loadFirst().then(() => {
      this.#isServing = true
    })
    // A failure is told by serving().
    this.#loading.catch(() => undefined)
  }

  protected override async _close(): Promise<void> {
    await this.#pool.close()
  }

  /** Checked before the model is loaded, because another one may be unloaded for it. */
  #assertAnswers(model: string): void {
    if (this.#pool.purposeOf(model) !== 'embedding') return
    throw new StarlingError(
      'NOT_SUPPORTED',
      `${model} only embeds texts and cannot answer questions`,
    )
  }

  #statuses(): EngineStatus[] {
    return this.#pool.engines.flatMap((engine) => engine.status?.() ?? [])
  }

  #assertServing(): void {
    if (this.#isServing) return
    throw new StarlingError('MODEL_UNAVAILABLE', 'The processor is still preparing its model')
  }
}
