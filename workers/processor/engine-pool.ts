import type { Clock } from '../../facilities/clock/clock.js'
import type { Engine, EngineInfo, EngineStatus } from '../../facilities/engine/engine.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import {
  MAX_OFFERED_MODELS,
  type ModelDetails,
  type OfferedModel,
} from '../../helpers/protocol/processor-protocol.js'
import type { ProcessorBudget } from './memory-budget.js'
import { MemoryReservations } from './memory-reservations.js'
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
 * The models of one processor. Each is loaded on request. When memory is short, the least recently used
 * one is unloaded, but never one that is answering.
 */
export class EnginePool {
  readonly #models = new Map<string, PooledModel>()
  readonly #budget: ProcessorBudget
  readonly #memory: MemoryReservations
  readonly #clock: Clock
  readonly #queueLength: number
  #uses = 0

  /**
   * @param options.budget the memory and threads that the models may use
   * @param options.queueLength requests that may wait for a slot of each model
   */
  constructor(options: {
    offers: readonly EngineOffer[]
    budget: ProcessorBudget
    queueLength: number
    clock: Clock
  }) {
    this.#budget = options.budget
    this.#memory = new MemoryReservations(options.budget, () => [...this.#models.values()])
    this.#clock = options.clock
    this.#queueLength = options.queueLength
    for (const offer of options.offers) this.#append(offer)
    this.#budget.on('change', () => this.#adapt())
    this.#adapt()
  }

  /** Whether it has no models. */
  get isEmpty(): boolean {
    return this.#models.size === 0
  }

  /**
   * Appends models. If a name is already taken, the first model with it stays.
   *
   * @returns the names of those that were not added
   */
  async add(offers: readonly EngineOffer[]): Promise<string[]> {
    const refused: string[] = []
    for (const offer of offers) {
      if (this.#models.has(offer.model) || this.#models.size >= MAX_OFFERED_MODELS) {
        refused.push(offer.model)
        await offer.engine.dispose()
      } else {
        await this.#append(offer).describe()
      }
    }
    this.#adapt()
    return refused
  }

  /** The estimated memory use of the loaded models, and the shares of this processor. */
  get resources(): { takenBytes: number; shareBytes: number; threads: number | null } {
    const { shareBytes, threads } = this.#budget
    return { takenBytes: this.#memory.takenBytes, shareBytes, threads }
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
    const pooled = this.#models.get(model)
    if (pooled === undefined) return undefined
    const known = pooled.isKept ? knownOf(pooled.engine.info()).purpose : undefined
    return known ?? pooled.details.purpose
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
      await first.load((memoryBytes) => this.#memory.reserve(first, memoryBytes, { waits: true }))
    } finally {
      first.users -= 1
    }
  }

  /**
   * Waits for a slot of a model, and loads it if necessary.
   *
   * @throws StarlingError MODEL_UNAVAILABLE when it is not offered, OVERLOADED when too many requests
   *   wait or other models use the memory, MEMORY_INSUFFICIENT when it could never fit; as the engine;
   *   or the signal's reason
   */
  async use(model: string, signal: AbortSignal): Promise<ModelUse> {
    const pooled = this.#find(model)
    const leaveQueue = await pooled.queue.acquire({ signal })
    pooled.users += 1
    let isHeld = true
    const release = () => {
      if (!isHeld) return
      isHeld = false
      pooled.users -= 1
      leaveQueue()
      if (this.#memory.isOverShare) this.#memory.shrink()
    }
    try {
      this.#uses += 1
      pooled.lastUse = this.#uses
      await pooled.load((memoryBytes) => this.#memory.reserve(pooled, memoryBytes), signal)
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

  /** Frees all models. Cannot be undone. */
  async close(): Promise<void> {
    await Promise.all(this.engines.map((engine) => engine.dispose()))
  }

  #append(offer: EngineOffer): PooledModel {
    const onFreed = () => this.#memory.freed()
    const options = { clock: this.#clock, queueLength: this.#queueLength, onFreed }
    const pooled = new PooledModel(offer, options)
    this.#models.set(offer.model, pooled)
    return pooled
  }

  #find(model: string): PooledModel {
    const pooled = this.#models.get(model)
    if (pooled !== undefined) return pooled
    const names = [...this.#models.keys()].join(', ')
    throw new StarlingError('MODEL_UNAVAILABLE', `The processor serves ${names}, not ${model}`)
  }

  #offered(pooled: PooledModel): OfferedModel {
    const { name, engine, details, queue, answerMs, isLoaded, isKept } = pooled
    const displaced = isKept ? [] : this.#memory.displacedBy(pooled, pooled.neededBytes)
    const hasFailed = pooled.hasFailed || pooled.neededBytes > this.#budget.totalBytes
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

  /** Applies a changed share. */
  #adapt(): void {
    const { threads } = this.#budget
    if (threads !== null) for (const engine of this.engines) engine.limitThreads?.(threads)
    this.#memory.shrink()
  }
}

/** The properties of a model that its engine knows after the first load. */
function knownOf({ contextTokens, reproducibility, capabilities }: EngineInfo) {
  return {
    contextTokens,
    reproducibility,
    ...(!capabilities.has('chat') && { purpose: 'embedding' as const }),
  }
}
