import type { Batch } from 'hyperbee'
import type Hypercore from 'hypercore'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import {
  type Entry,
  isSameRevision,
  type RecordEvent,
  type RecordRange,
  type Revision,
} from '../../helpers/store/record.js'
import type { BatchResult, EncodedBatch } from '../../helpers/store/record-batch.js'
import { FIRST_KEY, type RecordsTree, type StoredRecord } from './records-tree.js'

/** A part of the news after a revision. */
export interface NewsPage {
  readonly events: readonly RecordEvent[]
  /** Up to which there is no further news; null if the history was cut. */
  readonly at: Revision | null
}

/**
 * The records of one epoch: a Hyperbee in a core of its own. What is read is what was on disk when `markDurable`
 * was called last. One append at a time.
 */
export class RecordsCore {
  readonly #tree: RecordsTree
  readonly #bee: RecordsTree['bee']
  #count: number
  #durableLength: number
  #reads = 0
  #onLastRead: (() => void) | null = null

  /** @param tree closed with this. It is on disk, or will be when this is read first */
  constructor(tree: RecordsTree) {
    this.#tree = tree
    this.#bee = tree.bee
    this.#count = tree.count
    this.#durableLength = tree.bee.core.length
  }

  get epoch(): number {
    return this.#tree.header.epoch
  }

  /** Whether it was filled. Otherwise a crash has interrupted that. */
  get isComplete(): boolean {
    return this.#tree.filledLength > 0
  }

  get core(): Hypercore {
    return this.#bee.core
  }

  /** The blocks that no record needs any more. */
  get historyBlocks(): number {
    return this.#bee.core.length - this.#count
  }

  /** The number of records. */
  get count(): number {
    return this.#count
  }

  /** The newest revision that is on disk. */
  get revision(): Revision {
    return this.#at(this.#durableLength - 1)
  }

  async close(): Promise<void> {
    await this.#bee.close()
  }

  /** Resolves when no read is in progress. */
  async idle(): Promise<void> {
    if (this.#reads === 0) return
    await new Promise<void>((resolve) => {
      this.#onLastRead = resolve
    })
  }

  async get(key: string): Promise<Entry | undefined> {
    return await this.#read(async () => {
      const entry = await this.#bee.get(key, { checkout: this.#durableLength })
      return entry === null ? undefined : this.#entryOf(entry)
    })
  }

  /** All records, as they are on disk now. */
  async *all(): AsyncGenerator<StoredRecord> {
    const options = { checkout: this.#durableLength }
    const stream = this.#bee.createReadStream({ gte: FIRST_KEY }, options)
    for await (const { key, value } of stream) yield { key, text: value }
  }

  /** The first records of a range, at most `limit`. */
  async page({ from = '', before }: RecordRange, limit: number): Promise<Entry[]> {
    return await this.#read(async () => {
      const entries: Entry[] = []
      const first = from < FIRST_KEY ? FIRST_KEY : from
      const range = before === undefined ? { gte: first } : { gte: first, lt: before }
      const options = { checkout: this.#durableLength, limit }
      for await (const entry of this.#bee.createReadStream(range, options)) {
        entries.push(this.#entryOf(entry))
      }
      return entries
    })
  }

  /** The first changes after a revision, at most about `limit`. */
  async news(since: Revision, limit: number): Promise<NewsPage> {
    const start = this.#afterOf(since)
    if (start === undefined || start > this.#durableLength) return { events: [], at: null }
    const end = Math.min(start + limit, this.#durableLength)
    if (start === end) return { events: [], at: this.#at(end - 1) }
    return await this.#read(async () => {
      const events: RecordEvent[] = []
      for await (const entry of this.#bee.createHistoryStream({ gte: start, lt: end })) {
        events.push(this.#eventOf(entry))
      }
      return { events, at: this.#at(end - 1) }
    })
  }

  /** Appends the batches whose conditions hold, in one write. They are not on disk yet. */
  async append(batches: readonly EncodedBatch[]): Promise<readonly BatchResult[]> {
    const batch = this.#bee.batch()
    const [version, count] = [batch.version, this.#count]
    try {
      const results: BatchResult[] = []
      for (const one of batches) results.push(await this.#apply(batch, one))
      if (batch.version !== version) await batch.flush()
      return results
    } catch (error) {
      this.#count = count
      throw error
    } finally {
      await batch.close()
    }
  }

  /** Everything that was appended is on disk, and is read from now on. */
  markDurable(): void {
    this.#durableLength = this.#bee.core.length
  }

  /** Whether something was appended that is not on disk. */
  get isAhead(): boolean {
    return this.#bee.core.length !== this.#durableLength
  }

  async #apply(
    batch: Batch<'utf-8', 'utf-8'>,
    { conditions, changes }: EncodedBatch,
  ): Promise<BatchResult> {
    const conflicts: string[] = []
    for (const { key, revision } of conditions) {
      const entry = await batch.get(key)
      const found = entry === null ? null : this.#at(entry.seq)
      if (!isSameRevision(found, revision)) conflicts.push(key)
    }
    if (conflicts.length > 0) return { committed: false, conflicts }
    for (const { key, text } of changes) {
      const isThere = (await batch.get(key)) !== null
      if (text !== null) await batch.put(key, text)
      else if (isThere) await batch.del(key)
      this.#count += (text === null ? 0 : 1) - (isThere ? 1 : 0)
    }
    return { committed: true, revision: this.#at(batch.version - 1) }
  }

  /** The sequence after a revision; undefined if the history between was cut. */
  #afterOf(since: Revision): number | undefined {
    const { header, filledLength } = this.#tree
    if (isSameRevision(since, header.continues)) return filledLength
    if (since.epoch !== this.epoch) return undefined
    // What it was filled with is no change.
    return Math.max(since.sequence + 1, filledLength)
  }

  #eventOf({ key, value, seq }: { key: string; value: string | null; seq: number }): RecordEvent {
    const revision = this.#at(seq)
    if (value === null) return { kind: 'removed', key, revision }
    return { kind: 'put', key, value: this.#parse(value), revision }
  }

  #entryOf({ key, value, seq }: { key: string; value: string; seq: number }): Entry {
    return { key, value: this.#parse(value), revision: this.#at(seq) }
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text)
    } catch {
      // Without the text, which may be secret.
      throw new StarlingError(
        'INTERNAL',
        `A stored record of ${this.#tree.header.records} is not JSON`,
      )
    }
  }

  #at(sequence: number): Revision {
    return { epoch: this.epoch, sequence }
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    this.#reads += 1
    try {
      return await read()
    } finally {
      this.#reads -= 1
      if (this.#reads === 0) this.#onLastRead?.()
    }
  }
}
