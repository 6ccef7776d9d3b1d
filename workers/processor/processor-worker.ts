import ReadyResource from 'ready-resource'
import type { Engine } from '../../facilities/engine/engine.js'
import type { Service } from '../../facilities/network/service.js'
import type { Figure, Impediment, WatchedWorker } from '../../facilities/process/worker-health.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { type ProcessorLoad, processorProtocol } from '../../helpers/protocol/processor-protocol.js'
import { SlotQueue } from './slot-queue.js'

/**
 * Answers conversations with the engine that it is given, and owns it. Ready at once, so that it can
 * say that the model is still being prepared; see {@link serving}.
 */
export class ProcessorWorker extends ReadyResource implements WatchedWorker {
  readonly #engine: Engine
  readonly #queue: SlotQueue
  #loading: Promise<void> | null = null
  #loaded = false

  constructor(options: { service: Service; engine: Engine; slots: number; queueLength: number }) {
    super()
    this.#engine = options.engine
    this.#queue = new SlotQueue({ slots: options.slots, maxWaiting: options.queueLength })
    const worker = this
    options.service
      .unary(processorProtocol.load, async () => this.load())
      .stream(processorProtocol.generate, async function* (request, { signal }) {
        worker.#assertServes(request.model)
        const release = await worker.#queue.acquire(signal)
        try {
          return yield* worker.#engine.generate(request, signal)
        } finally {
          release()
        }
      })
  }

  /** Which models are served and how busy the worker is. */
  load(): ProcessorLoad {
    const info = this.#loaded ? this.#engine.info() : undefined
    return {
      models: info === undefined ? [] : [info.model],
      slots: this.#queue.slots,
      running: this.#queue.running,
      queued: this.#queue.waiting,
      ...(info && { contextTokens: info.contextTokens }),
    }
  }

  impediments(): readonly Impediment[] {
    if (!this.#loaded) {
      const message = 'The processor is still preparing its model'
      return [{ code: 'MODEL_UNAVAILABLE', message, blocks: true }]
    }
    const state = this.#engine.status?.().state ?? 'running'
    if (state === 'running') return []
    const message =
      state === 'starting'
        ? 'The engine has crashed and is starting again'
        : 'The engine has crashed; the next request starts it again'
    return [{ code: 'ENGINE_CRASHED', message, blocks: state === 'starting' }]
  }

  get figures(): readonly Figure[] {
    return [
      {
        name: 'slots',
        help: 'Answers that can be made side by side',
        kind: 'gauge',
        value: () => this.#queue.slots,
      },
      {
        name: 'slotsBusy',
        help: 'Answers in the making',
        kind: 'gauge',
        value: () => this.#queue.running,
      },
      {
        name: 'queueLength',
        help: 'Requests that wait for a slot',
        kind: 'gauge',
        value: () => this.#queue.waiting,
      },
      {
        name: 'engineRestarts',
        help: 'Times that the engine was started again after a crash',
        kind: 'counter',
        value: () => this.#engine.status?.().restarts ?? 0,
      },
    ]
  }

  /** Resolves when the model is loaded. @throws StarlingError as the engine */
  async serving(): Promise<void> {
    await this.ready()
    await this.#loading
  }

  protected override async _open(): Promise<void> {
    this.#loading = this.#engine.ready().then(() => {
      this.#loaded = true
    })
    // A failure is told by serving().
    this.#loading.catch(() => undefined)
  }

  protected override async _close(): Promise<void> {
    await this.#engine.close()
  }

  #assertServes(model: string): void {
    const { models } = this.load()
    if (models.includes(model)) return
    throw new StarlingError(
      'MODEL_UNAVAILABLE',
      models.length === 0
        ? 'The processor is still preparing its model'
        : `The processor serves ${models.join(', ')}, not ${model}`,
      { retryAfterMs: 1000 },
    )
  }
}
