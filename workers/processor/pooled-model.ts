import { unlessAborted } from '../../facilities/clock/bounded-wait.js'
import type { Clock } from '../../facilities/clock/clock.js'
import type { Engine } from '../../facilities/engine/engine.js'
import { cancelledError } from '../../facilities/engine/engine-cancelled.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import { SlotQueue } from '../../helpers/limits/slot-queue.js'
import type { ModelDetails } from '../../helpers/protocol/processor-protocol.js'

/** The part of a load that does not depend on the size of the model. */
const START_MS = 1_500
/** The rate of a slow solid-state disk. */
const READ_BYTES_PER_MS = 500_000
/** Assumed for a model of unknown size, which has to be fetched first. */
const UNKNOWN_LOAD_MS = 60_000

/** How long a failure is reported. */
const FAILURE_MS = 30_000

/** The weight of the latest answer in the moving average. */
const LATEST_WEIGHT = 0.2

/** An engine and the model that it runs. */
export interface EngineOffer {
  /** The model name in requests. */
  readonly model: string
  readonly engine: Engine
  /** Concurrent answers. */
  readonly slots: number
  /** The known properties of the model: more once it has been prepared, so read after each load. */
  readonly describe: () => Promise<ModelDetails>
  /** The server that runs the model, if another program does. */
  readonly server?: {
    /** Why it does not answer at the moment; null if it does. */
    readonly failure: Error | null
  }
}

/** A model of a pool, with its measurements. */
export class PooledModel {
  readonly name: string
  readonly engine: Engine
  readonly queue: SlotQueue
  details: ModelDetails = {}
  /** The memory that is reserved for it, in bytes; 0 when it is not loaded. */
  memoryBytes = 0
  /** Requests that keep it loaded. */
  users = 0
  /** When it was used last, counted in uses of the pool. */
  lastUse = 0
  readonly #offer: EngineOffer
  readonly #clock: Clock
  readonly #onFreed: () => void
  #isKept = false
  #loading: Promise<void> | null = null
  #loadingSince: number | undefined
  /** As estimated when it was prepared last. */
  #preparedBytes: number | undefined
  #measuredLoadMs: number | undefined
  #answerMs: number | undefined
  #failedAt: number | undefined

  /**
   * @param options.queueLength requests that may wait for a slot
   * @param options.onFreed called when its memory has been freed
   */
  constructor(
    offer: EngineOffer,
    options: { clock: Clock; queueLength: number; onFreed: () => void },
  ) {
    this.name = offer.model
    this.engine = offer.engine
    this.#offer = offer
    this.#clock = options.clock
    this.#onFreed = options.onFreed
    this.queue = new SlotQueue({
      slots: offer.slots,
      maxWaiting: options.queueLength,
      // The mean time until one of the slots is free.
      retryAfterMs: () => this.#answerMs && this.#answerMs / offer.slots,
    })
  }

  /** Whether it has been loaded and not been unloaded since. Its engine may have crashed. */
  get isKept(): boolean {
    return this.#isKept
  }

  /** Whether it is in memory and its engine runs. */
  get isLoaded(): boolean {
    return this.#isKept && (this.engine.status?.().state ?? 'running') === 'running'
  }

  /** The mean time for which an answer holds its slot; undefined until one has been completed. */
  get answerMs(): number | undefined {
    return this.#answerMs
  }

  /** The memory that it needs: as estimated at the last load, or the size of its file before the first. */
  get neededBytes(): number {
    return this.#preparedBytes ?? this.details.sizeBytes ?? 0
  }

  /** The time that a load takes: as measured last, or estimated from its size before. */
  get wholeLoadMs(): number {
    const { sizeBytes } = this.details
    if (this.#measuredLoadMs !== undefined) return this.#measuredLoadMs
    return sizeBytes === undefined ? UNKNOWN_LOAD_MS : START_MS + sizeBytes / READ_BYTES_PER_MS
  }

  /** The time until it is loaded. A load that takes longer than expected is expected to take as long again. */
  get loadMs(): number {
    if (this.isLoaded) return 0
    if (this.#loadingSince === undefined) return this.wholeLoadMs
    const passedMs = this.#clock.monotonic() - this.#loadingSince
    return passedMs < this.wholeLoadMs ? this.wholeLoadMs - passedMs : passedMs
  }

  /** Whether its server does not answer, or it could recently not be loaded or reached. */
  get hasFailed(): boolean {
    if (this.#offer.server?.failure != null) return true
    return this.#failedAt !== undefined && this.#clock.monotonic() - this.#failedAt < FAILURE_MS
  }

  async describe(): Promise<void> {
    this.details = await this.#offer.describe()
  }

  /**
   * Loads it; does nothing when it is loaded.
   *
   * @param reserve reserves the memory, once its size is known; its error ends the load
   * @param signal ends the wait; the load continues for other and later callers
   * @throws StarlingError as the engine and `reserve`; CANCELLED
   */
  async load(reserve: (memoryBytes: number) => Promise<void>, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) throw cancelledError(signal.reason)
    if (this.isLoaded) return
    this.#loading ??= this.#load(reserve).finally(() => {
      this.#loading = null
    })
    // It may fail when no caller waits for it any more.
    this.#loading.catch(() => undefined)
    await unlessAborted(this.#loading, signal, cancelledError)
  }

  async unload(): Promise<void> {
    this.#isKept = false
    await this.engine.unload()
    this.#free()
  }

  /** An answer was completed. @param tookMs how long it held its slot */
  answered(tookMs: number): void {
    const before = this.#answerMs ?? tookMs
    this.#answerMs = before + LATEST_WEIGHT * (tookMs - before)
    this.#failedAt = undefined
  }

  /** A request has failed. Remembered if the model's server could not be reached. */
  requestFailed(error: unknown): void {
    if (isStarlingError(error, 'ENGINE_UNREACHABLE')) this.#failedAt = this.#clock.monotonic()
  }

  async #load(reserve: (memoryBytes: number) => Promise<void>): Promise<void> {
    this.#loadingSince = this.#clock.monotonic()
    try {
      const memoryBytes = await this.engine.prepare()
      this.#preparedBytes = memoryBytes
      try {
        await reserve(memoryBytes)
      } catch (error) {
        await this.engine.unload()
        throw error
      }
      // Not measured: preparing, such as fetching the file, which is done only once.
      const reservedAt = this.#clock.monotonic()
      await this.engine.load()
      this.#measuredLoadMs = this.#clock.monotonic() - reservedAt
      this.#failedAt = undefined
      if (!this.#isKept) await this.describe()
      this.#isKept = true
    } catch (error) {
      this.#isKept = false
      this.#free()
      // Not failures of the model: others use the memory, or it was unloaded in the meantime.
      if (!isStarlingError(error, 'OVERLOADED', 'DRAINING')) {
        this.#failedAt = this.#clock.monotonic()
      }
      throw error
    } finally {
      this.#loadingSince = undefined
    }
  }

  #free(): void {
    this.memoryBytes = 0
    this.#onFreed()
  }
}
