import type { Engine } from '../../facilities/engine/engine.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import type { ModelDetails, OfferedModel } from '../../helpers/protocol/processor-protocol.js'
import { SlotQueue } from './slot-queue.js'

/** An engine and the model that it runs. */
export interface EngineOffer {
  /** The name that requests ask for. */
  readonly model: string
  readonly engine: Engine
  /** Answers side by side. */
  readonly slots: number
  /** What is known of the model: more once it has been prepared, so asked after each load. */
  readonly describe: () => Promise<ModelDetails>
}

/** A model of the pool. */
interface PooledModel extends EngineOffer {
  readonly queue: SlotQueue
  details: ModelDetails
  isLoaded: boolean
  /** What it takes, or is about to take; 0 when it takes nothing. */
  memoryBytes: number
  /** Requests that need it to stay. */
  users: number
  /** When it was used last, counted in uses of the pool. */
  lastUse: number
}

/**
 * The models of one processor. Each is loaded when it is asked for, and the one that was not used
 * for longest gives way when memory runs short; one that is answering never does.
 */
export class EnginePool {
  readonly #models = new Map<string, PooledModel>()
  readonly #memoryBytes: number
  #uses = 0
  /** Room is made for one model after the other. */
  #reserving: Promise<unknown> = Promise.resolve()

  /**
   * @param options.memoryBytes the most that all loaded models may take together
   * @param options.queueLength requests that may wait for a slot of each model
   */
  constructor(options: {
    offers: readonly EngineOffer[]
    memoryBytes: number
    queueLength: number
  }) {
    this.#memoryBytes = options.memoryBytes
    for (const offer of options.offers) {
      const queue = new SlotQueue({ slots: offer.slots, maxWaiting: options.queueLength })
      this.#models.set(offer.model, {
        ...offer,
        queue,
        details: {},
        isLoaded: false,
        memoryBytes: 0,
        users: 0,
        lastUse: 0,
      })
    }
  }

  /** All models and how busy each is. */
  get offered(): OfferedModel[] {
    return [...this.#models.values()].map(({ model, engine, details, queue, isLoaded }) => ({
      ...details,
      ...(isLoaded && { contextTokens: engine.info().contextTokens }),
      name: model,
      isLoaded,
      slots: queue.slots,
      running: queue.running,
      queued: queue.waiting,
    }))
  }

  /** The engines, whether their models are loaded or not. */
  get engines(): Engine[] {
    return [...this.#models.values()].map(({ engine }) => engine)
  }

  /**
   * Describes all models, and loads the first that was offered, so that a worker says that it is ready only when it can
   * answer something.
   *
   * @throws StarlingError as the engine; MODEL_NOT_FOUND when nothing is offered
   */
  async loadFirst(): Promise<void> {
    const [first] = this.#models.values()
    if (first === undefined) throw new StarlingError('MODEL_NOT_FOUND', 'No model is offered here')
    first.users += 1
    try {
      for (const pooled of this.#models.values()) pooled.details = await pooled.describe()
      await this.#load(first)
    } finally {
      first.users -= 1
    }
  }

  /**
   * Waits for a slot of a model and has it loaded.
   *
   * @returns the engine, and what gives the slot back; calling that again does nothing
   * @throws StarlingError MODEL_UNAVAILABLE when it is not offered, OVERLOADED when too many wait or
   *   other models use the memory, MEMORY_INSUFFICIENT when it could never fit; as the engine; or
   *   the signal's reason
   */
  async use(
    model: string,
    signal: AbortSignal,
  ): Promise<{ readonly engine: Engine; readonly release: () => void }> {
    const pooled = this.#find(model)
    const leaveQueue = await pooled.queue.acquire(signal)
    pooled.users += 1
    let isHeld = true
    const release = () => {
      if (!isHeld) return
      isHeld = false
      pooled.users -= 1
      leaveQueue()
    }
    try {
      this.#uses += 1
      pooled.lastUse = this.#uses
      await this.#load(pooled, signal)
      return { engine: pooled.engine, release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Frees everything, for good. */
  async close(): Promise<void> {
    await Promise.all(this.engines.map((engine) => engine.dispose()))
  }

  #find(model: string): PooledModel {
    const pooled = this.#models.get(model)
    if (pooled !== undefined) return pooled
    const names = [...this.#models.keys()].join(', ')
    throw new StarlingError('MODEL_UNAVAILABLE', `The processor serves ${names}, not ${model}`)
  }

  async #load(pooled: PooledModel, signal?: AbortSignal): Promise<void> {
    try {
      await pooled.engine.load({
        ...(signal && { signal }),
        reserve: (memoryBytes) => this.#reserve(pooled, memoryBytes),
      })
      if (!pooled.isLoaded) pooled.details = await pooled.describe()
      pooled.isLoaded = true
    } catch (error) {
      // Whoever gave up waiting leaves the load to the others.
      if (!isStarlingError(error, 'CANCELLED')) {
        pooled.isLoaded = false
        pooled.memoryBytes = 0
      }
      throw error
    }
  }

  /** Makes room for a model, one after the other: two at once would count on the same room. */
  #reserve(pooled: PooledModel, memoryBytes: number): Promise<void> {
    const turn = this.#reserving.then(() => this.#makeRoom(pooled, memoryBytes))
    this.#reserving = turn.catch(() => {
      // Whoever asked is told.
    })
    return turn
  }

  async #makeRoom(pooled: PooledModel, memoryBytes: number): Promise<void> {
    if (memoryBytes > this.#memoryBytes) {
      throw new StarlingError(
        'MEMORY_INSUFFICIENT',
        `${pooled.model} needs about ${mebibytes(memoryBytes)} MiB of memory, and ` +
          `processor.memoryMebibytes allows ${mebibytes(this.#memoryBytes)} MiB`,
      )
    }
    for (;;) {
      const others = [...this.#models.values()].filter((other) => other !== pooled)
      const taken = others.reduce((sum, other) => sum + other.memoryBytes, 0)
      if (taken + memoryBytes <= this.#memoryBytes) break
      const [idle] = others
        .filter((other) => other.memoryBytes > 0 && other.users === 0)
        .sort((one, other) => one.lastUse - other.lastUse)
      if (idle === undefined) {
        throw new StarlingError(
          'OVERLOADED',
          `There is no memory for ${pooled.model} while other models answer`,
          { retryAfterMs: 1000 },
        )
      }
      await this.#unload(idle)
    }
    pooled.memoryBytes = memoryBytes
  }

  async #unload(pooled: PooledModel): Promise<void> {
    pooled.isLoaded = false
    await pooled.engine.unload()
    pooled.memoryBytes = 0
  }
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20)
}
