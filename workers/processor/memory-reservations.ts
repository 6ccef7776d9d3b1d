import { StarlingError } from '../../helpers/errors/starling-error.js'
import { type MemoryUse, memoryUseOf } from '../../helpers/limits/budget-shares.js'
import type { ProcessorBudget } from './memory-budget.js'
import type { PooledModel } from './pooled-model.js'

/** How often a load checks whether other processors have freed memory, if it waits: for one minute. */
const MAX_SHARE_WAITS = 30

/**
 * Reserves the memory of a processor's models before they are loaded. To make room for a model, it
 * unloads idle ones, the least recently used first, and none that are in use.
 */
export class MemoryReservations {
  readonly #budget: ProcessorBudget
  readonly #models: () => readonly PooledModel[]
  /** One after the other: two reservations at once would count the same memory as free. */
  #last: Promise<unknown> = Promise.resolve()

  /** @param models all models of the processor */
  constructor(budget: ProcessorBudget, models: () => readonly PooledModel[]) {
    this.#budget = budget
    this.#models = models
  }

  /** By all models, in bytes. */
  get takenBytes(): number {
    return this.#use.takenBytes
  }

  /** Whether more is reserved than the share of this processor, because the share has become smaller. */
  get isOverShare(): boolean {
    return this.takenBytes > this.#budget.shareBytes
  }

  /**
   * Reserves memory for a model that is about to be loaded.
   *
   * @param options.waits waits up to a minute for memory that other processors free. Default: false
   * @throws StarlingError OVERLOADED when models that are in use, or other processors, occupy the
   *   memory; MEMORY_INSUFFICIENT when it could never fit
   */
  reserve(pooled: PooledModel, memoryBytes: number, options?: { waits: boolean }): Promise<void> {
    return this.#inTurn(() => this.#makeRoom(pooled, memoryBytes, options?.waits ?? false))
  }

  /** Gives back memory: the reservation of a model has become 0. */
  freed(): void {
    void this.#inTurn(() => this.#budget.give(this.#use))
  }

  /** Unloads idle models until the share is kept or one model is left. */
  shrink(): void {
    void this.#inTurn(() => this.#shrink())
  }

  /**
   * The idle models that must be unloaded to load a model, the least recently used first; null if there
   * is not enough memory even then.
   */
  displacedBy(pooled: PooledModel, memoryBytes: number): PooledModel[] | null {
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

  get #use(): MemoryUse {
    return memoryUseOf(this.#models().map(({ memoryBytes }) => memoryBytes))
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => {
      // The caller gets the error.
    })
    return turn
  }

  async #makeRoom(pooled: PooledModel, memoryBytes: number, isPatient: boolean): Promise<void> {
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
      const [idle] = this.displacedBy(pooled, memoryBytes) ?? []
      if (idle !== undefined) {
        await idle.unload()
        continue
      }
      const busy = others.filter((other) => other.users > 0)
      const least = memoryUseOf([...busy.map((other) => other.memoryBytes), memoryBytes])
      const verdict = this.#budget.verdict(least)
      if (verdict === 'insufficient') throw insufficient(pooled.name, memoryBytes, totalBytes)
      if (verdict === 'unload') throw this.#noMemory(pooled)
      if (!isPatient || waits >= MAX_SHARE_WAITS) throw takenByOthers(pooled.name)
      waits += 1
      await this.#budget.looked()
    }
    pooled.memoryBytes = memoryBytes
  }

  async #shrink(): Promise<void> {
    for (;;) {
      const { takenBytes, largestBytes } = this.#use
      if (takenBytes <= this.#budget.shareBytes || takenBytes === largestBytes) return
      const [idle] = this.#idle()
      if (idle === undefined) return
      await idle.unload()
    }
  }

  #othersThan(pooled: PooledModel): PooledModel[] {
    return this.#models().filter((other) => other !== pooled)
  }

  /** The loaded models that are not in use, the least recently used first. */
  #idle(except?: PooledModel): PooledModel[] {
    return this.#models()
      .filter((model) => model !== except && model.memoryBytes > 0 && model.users === 0)
      .sort((one, other) => one.lastUse - other.lastUse)
  }

  /** With the expected time until one of the models in use is idle, if that is known. */
  #noMemory(pooled: PooledModel): StarlingError {
    const idleInMs = this.#othersThan(pooled)
      .filter((other) => other.users > 0)
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

function takenByOthers(model: string): StarlingError {
  return new StarlingError(
    'OVERLOADED',
    `There is no memory for ${model} until other processors of this home unload idle models`,
  )
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20)
}
