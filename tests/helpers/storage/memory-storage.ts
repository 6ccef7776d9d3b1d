// A stand-in for the RocksDB handle below hypercore-storage 3.3.1: a store in a unit test opens,
// writes and closes in about a millisecond and leaves nothing behind.
import Corestore from 'corestore'
import HypercoreStorage from 'hypercore-storage'
import { Readable } from 'streamx'
import type { Random } from '../../../facilities/clock/random.js'

const CLOSED = 'RocksDB session is closed'

type Entries = Map<string, Buffer>
type Write = (entries: Entries) => void

interface KeyRange {
  readonly gt?: Uint8Array
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
  readonly lte?: Uint8Array
  readonly reverse?: boolean
  readonly limit?: number
}

/** The content of a disk: it outlives the stores that are opened on it, one at a time. */
export class Memory {
  /** Values by hexadecimal key, which sorts like the bytes. */
  readonly entries: Entries
  /** The number of syncs. */
  flushes = 0
  /** Whether a store has it open: RocksDB locks its folder. */
  locked = false
  /** The error of every write, for instance of a full disk. */
  failure: Error | null = null
  #synced: Entries
  /** Batches since the last sync. */
  #unsynced: (readonly Write[])[] = []

  /** @param entries the initial content of the disk */
  constructor(entries: Entries = new Map()) {
    this.entries = entries
    this.#synced = new Map(entries)
  }

  /** Makes everything written so far survive a power cut. */
  sync(): void {
    this.assertWritable()
    this.flushes++
    this.#synced = new Map(this.entries)
    this.#unsynced = []
  }

  /** Makes all writes of a batch. They survive a power cut together or not at all. */
  write(batch: readonly Write[]): void {
    this.assertWritable()
    for (const write of batch) write(this.entries)
    this.#unsynced.push(batch)
  }

  assertWritable(): void {
    if (this.failure !== null) throw this.failure
  }

  /**
   * The same disk after a power cut now: without what was not synced.
   *
   * @param random decides how many of the batches that were not synced reached the disk, the oldest first. Left
   *   out: none
   */
  afterPowerCut(random?: Random): Memory {
    const entries = new Map(this.#synced)
    const count = random?.below(this.#unsynced.length + 1) ?? 0
    for (const batch of this.#unsynced.slice(0, count)) for (const write of batch) write(entries)
    return new Memory(entries)
  }

  /** A backup taken now, with everything that was written. */
  copy(): Memory {
    return new Memory(new Map(this.entries))
  }
}

class MemoryReadBatch {
  readonly #entries: Entries
  constructor(entries: Entries) {
    this.#entries = entries
  }

  async get(key: Uint8Array): Promise<Buffer | null> {
    const value = this.#entries.get(hex(key))
    return value === undefined ? null : Buffer.from(value)
  }

  tryFlush(): void {}
  async flush(): Promise<void> {}
  destroy(): void {}
}

class MemoryWriteBatch {
  readonly #memory: Memory
  #writes: Write[] = []
  constructor(memory: Memory) {
    this.#memory = memory
  }

  tryPut(key: Uint8Array, value: Uint8Array): void {
    const [name, copy] = [hex(key), Buffer.from(value)]
    this.#writes.push((entries) => entries.set(name, copy))
  }

  tryDelete(key: Uint8Array): void {
    const name = hex(key)
    this.#writes.push((entries) => entries.delete(name))
  }

  tryDeleteRange(start: Uint8Array, end: Uint8Array): void {
    const range = { gte: Buffer.from(start), lt: Buffer.from(end) }
    this.#writes.push((entries) => {
      for (const key of keysWithin(entries, range)) entries.delete(key)
    })
  }

  async flush(): Promise<void> {
    this.#memory.write(this.#writes)
    this.#writes = []
  }

  destroy(): void {
    this.#writes = []
  }
}

/** One session on the memory. hypercore-storage reads `_state`, `_index` and `_snapshot`, too. */
export class MemoryDatabase {
  /** Nothing can exist below a device, so a search for files of an older store finds none. */
  readonly path = '/dev/null/db'
  readonly _state: { closing: boolean }
  readonly _snapshot: Entries | null
  _index = 0
  readonly #memory: Memory
  readonly #isRoot: boolean

  constructor(memory: Memory, state?: { closing: boolean }, snapshot: Entries | null = null) {
    this.#memory = memory
    this.#isRoot = state === undefined
    this._state = state ?? { closing: false }
    this._snapshot = snapshot
  }

  get opened(): boolean {
    return true
  }

  get closed(): boolean {
    return this.#isRoot ? this._state.closing : this._index === -1
  }

  get snapshotted(): boolean {
    return this._snapshot !== null
  }

  columnFamily(): MemoryDatabase {
    return this.session()
  }

  session(): MemoryDatabase {
    this.#assertOpen()
    return new MemoryDatabase(this.#memory, this._state, this._snapshot)
  }

  snapshot(): MemoryDatabase {
    this.#assertOpen()
    return new MemoryDatabase(this.#memory, this._state, new Map(this.#entries))
  }

  read(): MemoryReadBatch {
    this.#assertOpen()
    return new MemoryReadBatch(this.#entries)
  }

  write(): MemoryWriteBatch {
    this.#assertOpen()
    return new MemoryWriteBatch(this.#memory)
  }

  async get(key: Uint8Array): Promise<Buffer | null> {
    return this.read().get(key)
  }

  iterator(range: KeyRange): Readable {
    this.#assertOpen()
    const entries = this.#entries
    const keys = keysWithin(entries, range)
    const items: { key: Buffer; value: Buffer }[] = []
    for (const key of keys) {
      const value = entries.get(key)
      if (value !== undefined)
        items.push({ key: Buffer.from(key, 'hex'), value: Buffer.from(value) })
    }
    return Readable.from(items)
  }

  async ready(): Promise<void> {}
  async compactRange(): Promise<void> {}

  async flush(): Promise<void> {
    this.#assertOpen()
    this.#memory.sync()
  }

  async close(): Promise<void> {
    this._index = -1
    if (!this.#isRoot || this._state.closing) return
    this._state.closing = true
    this.#memory.locked = false
  }

  get #entries(): Entries {
    return this._snapshot ?? this.#memory.entries
  }

  #assertOpen(): void {
    if (this._state.closing || this._index === -1) throw new Error(CLOSED)
  }
}

function hex(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('hex')
}

function keysWithin(entries: Entries, range: KeyRange): string[] {
  const gt = range.gt && hex(range.gt)
  const gte = range.gte && hex(range.gte)
  const lt = range.lt && hex(range.lt)
  const lte = range.lte && hex(range.lte)
  const keys: string[] = []
  for (const key of entries.keys()) {
    if (gt !== undefined && key <= gt) continue
    if (gte !== undefined && key < gte) continue
    if (lt !== undefined && key >= lt) continue
    if (lte !== undefined && key > lte) continue
    keys.push(key)
  }
  keys.sort()
  if (range.reverse) keys.reverse()
  return range.limit === undefined || range.limit < 0 ? keys : keys.slice(0, range.limit)
}

/**
 * A Corestore in memory. The caller closes it.
 *
 * @param memory the content that an earlier store left; default empty
 * @throws Error when another store has that memory open, as RocksDB does
 */
export function memoryStore(memory = new Memory()): Corestore {
  if (memory.locked) throw new Error('File descriptor could not be locked')
  memory.locked = true
  return new Corestore(new HypercoreStorage(new MemoryDatabase(memory)))
}
