import type { Clock } from '../../facilities/clock/clock.js'
import type { Engine, EngineInfo, EngineStatus } from '../../facilities/engine/engine.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { ModelDetails, OfferedModel } from '../../helpers/protocol/processor-protocol.js'
import { type EngineOffer, PooledModel } from './pooled-model.js'

/** A slot of a model that is loaded. */
export interface ModelUse {
  readonly engine: Engine
  /** The answer was completed. */
  readonly answered: () => void
  readonly failed: (error: unknown) => void
  /** Gives the slot back; calling it again does nothing. */
  readonly release: () => void
}

/**
 * The models of one processor. Each is loaded when it is asked for, and the one that was not used
 * for longest gives way when memory runs short; one that is answering never does.
 */
export class EnginePool {
  readonly #models = new Map<string, PooledModel>()
  readonly #memoryBytes: number
  readonly #clock: Clock
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
    clock: Clock
  }) {
    this.#memoryBytes = options.memoryBytes
    this.#clock = options.clock
    for (const offer of options.offers) {
      this.#models.set(offer.model, new PooledModel(offer, options))
    }
  }

  /** All models in the order of the configuration, with what the expected wait depends on. */
  get offered(): OfferedModel[] {
    return [...this.#models.values()].map((pooled) => this.#offered(pooled))
  }

  /** The states of the engines whose models have been loaded and not unloaded. */
  get keptStates(): EngineStatus['state'][] {
    return [...this.#models.values()]
      .filter(({ isKept }) => isKept)
      .map(({ engine }) => engine.status?.().state ?? 'running')
  }

  /** The purpose of a model; undefined if it is unknown or the model is not offered. */
  purposeOf(model: string): ModelDetails['purpose'] {
    return this.#models.get(model)?.details.purpose
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
      for (const pooled of this.#models.values()) await pooled.describe()
      await this.#load(first)
    } finally {
      first.users -= 1
    }
  }

  /**
   * Waits for a slot of a model and has it loaded.
   *
   * @throws StarlingError MODEL_UNAVAILABLE when it is not offered, OVERLOADED when too many wait or
   *   other models use the memory, MEMORY_INSUFFICIENT when it could never fit; as the engine; or
   *   the signal's reason
   */
  async use(model: string, signal: AbortSignal): Promise<ModelUse> {
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
      const begunAt = this.#clock.monotonic()
      return {
        engine: pooled.engine,
        answered: () => pooled.answered(this.#clock.monotonic() - begunAt),
        failed: (error) => pooled.requestFailed(error),
        release,
      }
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

  #offered(pooled: PooledModel): OfferedModel {
    const { name, engine, details, queue, answerMs, isLoaded, isKept } = pooled
    const displaced = isKept ? [] : this.#displacedBy(pooled, pooled.neededBytes)
    const hasFailed = pooled.hasFailed || pooled.neededBytes > this.#memoryBytes
    return {
      ...details,
      ...(isKept && knownOf(engine.info())),
      name,
      isLoaded,
      slots: queue.slots,
      running: queue.running,
      queued: queue.waiting,
      queueLength: queue.maxWaiting,
      ...(answerMs !== undefined && { answerMs }),
      loadMs: pooled.loadMs,
      displacedMs: (displaced ?? []).reduce((sum, { wholeLoadMs }) => sum + wholeLoadMs, 0),
      ...(hasFailed
        ? { hindrance: 'failure' as const }
        : displaced === null && { hindrance: 'memory' as const }),
    }
  }

  async #load(pooled: PooledModel, signal?: AbortSignal): Promise<void> {
    await pooled.load({
      ...(signal && { signal }),
      reserve: (memoryBytes) => this.#reserve(pooled, memoryBytes),
    })
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
        `${pooled.name} needs about ${mebibytes(memoryBytes)} MiB of memory, and ` +
          `processor.memoryMebibytes allows ${mebibytes(this.#memoryBytes)} MiB`,
      )
    }
    for (;;) {
      // Checked as a whole first: nothing is unloaded for a model that would not fit anyway.
      const displaced = this.#displacedBy(pooled, memoryBytes)
      if (displaced === null) throw this.#noMemory(pooled)
      const [idle] = displaced
      if (idle === undefined) break
      await idle.unload()
    }
    pooled.memoryBytes = memoryBytes
  }

  /**
   * The idle models that must be unloaded to load a model, the least recently used first; null if there
   * is not enough memory even then.
   */
  #displacedBy(pooled: PooledModel, memoryBytes: number): PooledModel[] | null {
    const others = [...this.#models.values()].filter((other) => other !== pooled)
    const idle = others
      .filter((other) => other.memoryBytes > 0 && other.users === 0)
      .sort((one, other) => one.lastUse - other.lastUse)
    let excessBytes =
      others.reduce((sum, other) => sum + other.memoryBytes, 0) + memoryBytes - this.#memoryBytes
    const displaced: PooledModel[] = []
    for (const other of idle) {
      if (excessBytes <= 0) break
      displaced.push(other)
      excessBytes -= other.memoryBytes
    }
    return excessBytes <= 0 ? displaced : null
  }

  /** With the expected time until one of the models in use is idle, if that is known. */
  #noMemory(pooled: PooledModel): StarlingError {
    const idleInMs = [...this.#models.values()]
      .filter((other) => other !== pooled && other.users > 0)
      .flatMap(({ queue, answerMs }) =>
        answerMs === undefined
          ? []
          : Math.ceil((queue.running + queue.waiting) / queue.slots) * answerMs,
      )
    return new StarlingError(
      'OVERLOADED',
      `There is no memory for ${pooled.name} while other models answer`,
      idleInMs.length === 0 ? {} : { retryAfterMs: Math.ceil(Math.min(...idleInMs)) },
    )
  }
}

/** What an engine knows of its model after the first load. */
function knownOf({ contextTokens, reproducibility }: EngineInfo) {
  return { contextTokens, reproducibility }
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20)
}
