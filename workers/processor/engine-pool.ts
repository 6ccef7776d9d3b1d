import type { Clock } from '../../facilities/clock/clock.js'
import type { Engine, EngineInfo, EngineStatus } from '../../facilities/engine/engine.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { type MemoryUse, memoryUseOf } from '../../helpers/limits/budget-shares.js'
import {
  MAX_OFFERED_MODELS,
  type ModelDetails,
  type OfferedModel,
} from '../../helpers/protocol/processor-protocol.js'
import type { ProcessorBudget } from './memory-budget.js'
import { type EngineOffer, PooledModel } from './pooled-model.js'

/** How often a processor that starts checks whether others have freed memory: for one minute. */
const MAX_SHARE_WAITS = 30

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
  readonly #budget: ProcessorBudget
  readonly #clock: Clock
  readonly #queueLength: number
  #uses = 0
  /** Room is made for one model after the other. */
  #reserving: Promise<unknown> = Promise.resolve()
  /** While the first model is loaded, the pool waits for memory that other processors free. */
  #isStarting = false

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
   * Adds models behind those that are there. Of a name that is taken already, the first model stays.
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
    return { takenBytes: this.#use.takenBytes, shareBytes, threads }
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
    this.#isStarting = true
    try {
      for (const pooled of this.#models.values()) await pooled.describe()
      await this.#load(first)
    } finally {
      this.#isStarting = false
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
    const leaveQueue = await pooled.queue.acquire({ signal })
    pooled.users += 1
    let isHeld = true
    const release = () => {
      if (!isHeld) return
      isHeld = false
      pooled.users -= 1
      leaveQueue()
      if (this.#use.takenBytes > this.#budget.shareBytes) void this.#inTurn(() => this.#shrink())
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

  #append(offer: EngineOffer): PooledModel {
    const onFreed = () => void this.#inTurn(() => this.#budget.give(this.#use))
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
    const displaced = isKept ? [] : this.#displacedBy(pooled, pooled.neededBytes)
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

  async #load(pooled: PooledModel, signal?: AbortSignal): Promise<void> {
    await pooled.load({
      ...(signal && { signal }),
      reserve: (memoryBytes) => this.#reserve(pooled, memoryBytes),
    })
  }

  /** Makes room for a model, one after the other: two at once would count on the same room. */
  #reserve(pooled: PooledModel, memoryBytes: number): Promise<void> {
    return this.#inTurn(() => this.#makeRoom(pooled, memoryBytes))
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#reserving.then(work)
    this.#reserving = turn.catch(() => {
      // Whoever asked is told.
    })
    return turn
  }

  async #makeRoom(pooled: PooledModel, memoryBytes: number): Promise<void> {
    const { totalBytes } = this.#budget
    if (memoryBytes > totalBytes) {
      throw new StarlingError(
        'MEMORY_INSUFFICIENT',
        `${pooled.name} needs about ${mebibytes(memoryBytes)} MiB of memory, and ` +
          `processor.memoryMebibytes allows ${mebibytes(totalBytes)} MiB`,
      )
    }
    const others = this.#othersThan(pooled)
    for (let waits = 0; ; ) {
      const use = memoryUseOf([...others.map((other) => other.memoryBytes), memoryBytes])
      if ((await this.#budget.take(use)) === 'granted') break
      // Checked as a whole first: nothing is unloaded for a model that would not fit anyway.
      const [idle] = this.#displacedBy(pooled, memoryBytes) ?? []
      if (idle !== undefined) {
        await idle.unload()
        continue
      }
      const busy = others.filter((other) => other.users > 0)
      const least = memoryUseOf([...busy.map((other) => other.memoryBytes), memoryBytes])
      const verdict = this.#budget.verdict(least)
      if (verdict === 'insufficient') throw insufficient(pooled.name, memoryBytes, totalBytes)
      if (verdict === 'unload') throw this.#noMemory(pooled)
      if (!this.#isStarting || waits >= MAX_SHARE_WAITS) throw othersHaveIt(pooled.name)
      waits += 1
      await this.#budget.looked()
    }
    pooled.memoryBytes = memoryBytes
  }

  /**
   * The idle models that must be unloaded to load a model, the least recently used first; null if there
   * is not enough memory even then.
   */
  #displacedBy(pooled: PooledModel, memoryBytes: number): PooledModel[] | null {
    const staying = new Set(this.#othersThan(pooled))
    const displaced: PooledModel[] = []
    const isEnough = () => {
      const sizes = [...staying].map((other) => other.memoryBytes)
      return this.#budget.verdict(memoryUseOf([...sizes, memoryBytes])) === 'granted'
    }
    for (const idle of this.#idle(pooled)) {
      if (isEnough()) break
      displaced.push(idle)
      staying.delete(idle)
    }
    return isEnough() ? displaced : null
  }

  #othersThan(pooled: PooledModel): PooledModel[] {
    return [...this.#models.values()].filter((other) => other !== pooled)
  }

  /** The loaded models that are not in use, the least recently used first. */
  #idle(except?: PooledModel): PooledModel[] {
    return [...this.#models.values()]
      .filter((model) => model !== except && model.memoryBytes > 0 && model.users === 0)
      .sort((one, other) => one.lastUse - other.lastUse)
  }

  /** Applies a changed share. */
  #adapt(): void {
    const { threads } = this.#budget
    if (threads !== null) for (const engine of this.engines) engine.limitThreads?.(threads)
    void this.#inTurn(() => this.#shrink())
  }

  /** Unloads idle models until the share is kept or one model is left. */
  async #shrink(): Promise<void> {
    for (;;) {
      const { takenBytes, largestBytes } = this.#use
      if (takenBytes <= this.#budget.shareBytes || takenBytes === largestBytes) return
      const [idle] = this.#idle()
      if (idle === undefined) return
      await idle.unload()
    }
  }

  get #use(): MemoryUse {
    return memoryUseOf([...this.#models.values()].map(({ memoryBytes }) => memoryBytes))
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

function insufficient(model: string, memoryBytes: number, totalBytes: number): StarlingError {
  return new StarlingError(
    'MEMORY_INSUFFICIENT',
    `${model} needs about ${mebibytes(memoryBytes)} MiB of memory, but the other processors of this ` +
      `home leave less than that of the ${mebibytes(totalBytes)} MiB that they all share`,
  )
}

function othersHaveIt(model: string): StarlingError {
  return new StarlingError(
    'OVERLOADED',
    `There is no memory for ${model} until other processors of this home unload idle models`,
  )
}

/** What an engine knows of its model after the first load. */
function knownOf({ contextTokens, reproducibility, capabilities }: EngineInfo) {
  return {
    contextTokens,
    reproducibility,
    ...(!capabilities.has('chat') && { purpose: 'embedding' as const }),
  }
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20)
}
