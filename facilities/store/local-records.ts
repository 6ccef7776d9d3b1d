import ReadyResource from 'ready-resource'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import type { Entry, RecordEvent, RecordRange, Revision } from '../../helpers/store/record.js'
import {
  assertKey,
  type BatchResult,
  type EncodedBatch,
  encodeBatch,
  type RecordBatch,
} from '../../helpers/store/record-batch.js'
import type { Random } from '../clock/random.js'
import {
  cutHistory,
  type EarlierRecords,
  openCurrentCore,
  type RecordsPlace,
  removeCore,
} from './current-core.js'
import type { DurableStore, StoreUser } from './durable-store.js'
import { followRecords, Notice } from './follow-records.js'
import type { Records, RecordsProblem } from './records.js'
import type { RecordsCore } from './records-core.js'

/** Batches that wait for the disk: at 2,600 durable ones a second, under half a second of them. */
export const MAX_WAITING_BATCHES = 1_024
/** The memory of these batches. */
export const MAX_WAITING_BYTES = 16_777_216

/**
 * The history is cut when it has more blocks than this, and more than {@link HISTORY_FACTOR} for each record: a start
 * reads all of it, 60,000 blocks in a second.
 */
export const MIN_HISTORY_BLOCKS = 1_000
export const HISTORY_FACTOR = 2

/** Entries that a scan, and events that a follower, reads at once. */
const PAGE = 256

interface WaitingBatch {
  readonly batch: EncodedBatch
  readonly settle: (result: BatchResult) => void
  readonly fail: (error: unknown) => void
}

/**
 * Records in a Hyperbee of one worker's store. Hyperbee's own acknowledgement comes before any sync, so a power
 * cut could lose acknowledged data. Here all batches that arrive while the disk is busy are written together
 * and share one commit of the store (group commit). When the history is much longer than the records, these are
 * written to a new core, which takes the place of the old one (a checkpoint). Writes wait meanwhile.
 *
 * Open only one object for each name. It closes its own core, never the store. Getting it ready fails with
 * STORE_DAMAGED if its core differs from the store's witness. While the store cannot write, records can
 * be read but not changed; while it is being reopened, both wait.
 *
 * @example
 * const records = new LocalRecords({ store, name: 'records', random })
 * const result = await records.batch({
 *   conditions: [{ key: 'account/ada@example.com', revision: null }],
 *   changes: [{ kind: 'put', key: 'account/ada@example.com', value: { userId } }],
 * })
 * if (!result.committed) throw new Error('There is such an account already')
 */
export class LocalRecords extends ReadyResource implements Records, StoreUser {
  readonly #store: DurableStore
  readonly #place: RecordsPlace
  readonly #minHistoryBlocks: number
  #core: RecordsCore | null = null
  #waiting: WaitingBatch[] = []
  #waitingBytes = 0
  #writing: Promise<void> | null = null
  #isDetached = false
  readonly #news = new Notice()

  /**
   * @param parts.name of the core within the witness of the store: `[a-z][a-z0-9-]{0,31}`
   * @param parts.random creates the keys of cores
   * @param parts.earlier records of an earlier version, which are carried over once
   * @param parts.minHistoryBlocks Default: {@link MIN_HISTORY_BLOCKS}
   */
  constructor(parts: {
    readonly store: DurableStore
    readonly name: string
    readonly random: Random
    readonly earlier?: EarlierRecords
    readonly minHistoryBlocks?: number
  }) {
    super()
    this.#store = parts.store
    this.#place = { ...parts, earlier: parts.earlier }
    this.#minHistoryBlocks = parts.minHistoryBlocks ?? MIN_HISTORY_BLOCKS
  }

  get failure(): StarlingError | null {
    return this.#store.failure
  }

  problems(): readonly RecordsProblem[] {
    if (!this.opened || this.closing !== null) {
      return [{ code: 'HOME_UNUSABLE', message: 'The store is not open', blocks: true }]
    }
    const { failure, guardFailure } = this.#store
    if (failure !== null) return [{ code: failure.code, message: failure.message, blocks: true }]
    if (guardFailure === null) return []
    const code = isStarlingError(guardFailure) ? guardFailure.code : 'DISK_FAILED'
    const message = 'The rollback guard of the store cannot be written'
    return [{ code, message, blocks: false }]
  }

  protected override async _open(): Promise<void> {
    await this.#store.ready()
    await this.attach()
    this.#store.join(this)
  }

  /** Batches that were accepted before are finished first. */
  protected override async _close(): Promise<void> {
    // If the store could not be opened, there is nothing to wait for.
    await this.#store.settled().catch(() => undefined)
    while (this.#writing !== null) await this.#writing
    this.#store.leave(this)
    this.#store.untrack(this.#place.name)
    const core = this.#core
    this.#core = null
    this.#news.notify()
    await core?.idle()
    await core?.close()
  }

  /** Called by the store. */
  async attach(): Promise<void> {
    this.#core = await openCurrentCore(this.#place)
    this.#isDetached = false
    // What failed before may be on disk now.
    this.#news.notify()
    this.#startWriting()
  }

  /** Called by the store. */
  async detach(): Promise<void> {
    this.#isDetached = true
    while (this.#writing !== null) await this.#writing
    const core = this.#core
    this.#core = null
    await core?.idle()
    // The store is closed next in any case.
    await core?.close().catch(() => undefined)
  }

  /** Called by the store. */
  abandon(failure: StarlingError): void {
    const waiting = this.#takeWaiting()
    for (const { fail } of waiting) fail(failure)
    this.#news.notify()
  }

  async revision(): Promise<Revision> {
    return await this.#read((core) => core.revision)
  }

  async get(key: string): Promise<Entry | undefined> {
    assertKey(this.#place.name, key)
    return await this.#read((core) => core.get(key))
  }

  async *scan(
    { from, before }: RecordRange,
    { limit = Infinity }: { readonly limit?: number } = {},
  ): AsyncGenerator<Entry> {
    for (let rest = limit, first = from; rest > 0; ) {
      const range = { from: first, before }
      const size = Math.min(rest, PAGE)
      const page = await this.#read((core) => core.page(range, size))
      yield* page
      const last = page.at(-1)
      if (last === undefined || page.length < size) return
      rest -= page.length
      // The lowest key that is higher.
      first = `${last.key}\0`
    }
  }

  follow(since: Revision, signal: AbortSignal): AsyncIterable<RecordEvent> {
    const read = (from: Revision) => this.#read((core) => core.news(from, PAGE))
    return followRecords({ since, signal, read, notice: this.#news })
  }

  async batch(batch: RecordBatch): Promise<BatchResult> {
    const encoded = encodeBatch(this.#place.name, batch)
    await this.ready()
    this.#assertAccepting(encoded)
    return await new Promise((settle, fail) => {
      this.#waiting.push({ batch: encoded, settle, fail })
      this.#waitingBytes += encoded.sizeBytes
      this.#startWriting()
    })
  }

  #assertAccepting({ sizeBytes }: EncodedBatch): void {
    if (this.closing !== null) {
      throw new StarlingError('DRAINING', 'The worker is shutting down and accepts no more writes')
    }
    if (this.failure !== null) throw this.failure
    const count = this.#waiting.length
    if (count < MAX_WAITING_BATCHES && this.#waitingBytes + sizeBytes <= MAX_WAITING_BYTES) return
    throw new StarlingError('OVERLOADED', `${count} writes are waiting for the disk already`)
  }

  /** @param read is called once the store is not being reopened */
  async #read<T>(read: (core: RecordsCore) => T | Promise<T>): Promise<T> {
    await this.ready()
    for (;;) {
      await this.#store.settled()
      // In the same tick, so that the core is not closed before the read is counted.
      if (this.#core !== null) return await read(this.#core)
      if (this.failure !== null) throw this.failure
      if (this.closing !== null) {
        throw new StarlingError('DRAINING', 'The worker is shutting down and accepts no more reads')
      }
    }
  }

  #takeWaiting(): readonly WaitingBatch[] {
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    return waiting
  }

  #startWriting(): void {
    if (this.#writing !== null || this.#isDetached || this.#waiting.length === 0) return
    this.#writing = this.#writeWaiting().then(() => {
      this.#writing = null
      // Batches that arrived after the last check of the loop.
      this.#startWriting()
    })
  }

  /** Writes one group after the other until nothing waits, or the store is opened anew. Never rejects. */
  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#isDetached) {
      const group = this.#takeWaiting()
      if (this.failure !== null) for (const { fail } of group) fail(this.failure)
      else if (this.#core !== null) {
        await this.#writeGroup(this.#core, group)
        await this.#cutHistory(this.#core)
      }
    }
  }

  /** Does nothing as long as the history is short. */
  async #cutHistory(core: RecordsCore): Promise<void> {
    const limit = Math.max(this.#minHistoryBlocks, HISTORY_FACTOR * core.count)
    if (core.historyBlocks <= limit || this.failure !== null) return
    try {
      this.#core = await cutHistory(this.#place, core)
      this.#news.notify()
      await core.idle()
      await removeCore(this.#store, core.core)
    } catch (cause) {
      this.#store.fail(cause)
    }
  }

  async #writeGroup(core: RecordsCore, group: readonly WaitingBatch[]): Promise<void> {
    let results: readonly BatchResult[]
    try {
      results = await core.append(group.map(({ batch }) => batch))
      if (core.isAhead) await this.#store.commit()
      core.markDurable()
      this.#news.notify()
    } catch (cause) {
      const failure = this.#store.fail(cause)
      for (const { fail } of group) fail(failure)
      return
    }
    for (const [index, { settle, fail }] of group.entries()) {
      const result = results[index]
      if (result === undefined) fail(new Error('A batch has no result'))
      else settle(result)
    }
  }
}
