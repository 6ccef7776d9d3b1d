import type Corestore from 'corestore'
import sinon from 'sinon'
import type { Clock } from '../../../facilities/clock/clock.js'
import type { Random } from '../../../facilities/clock/random.js'
import { DurableStore } from '../../../facilities/store/durable-store.js'
import { RollbackGuard } from '../../../facilities/store/rollback-guard.js'
import type { StoreDisk } from '../../../facilities/store/store-disk.js'
import type { KnownState, StorePlace } from '../../../facilities/store/store-errors.js'
import { closeAnyway, verifyStore } from '../../../facilities/store/verify-store.js'
import { Witness } from '../../../facilities/store/witness.js'
import { VirtualClock } from '../clock/virtual-clock.js'
import { createRecords, insert, valueAt } from './local-records.js'
import { MemoryFile, MemoryFiles } from './memory-files.js'
import { Memory, memoryStore } from './memory-storage.js'

/** The name of a store in memory in messages. */
export const MEMORY_PLACE = {
  store: '/memory/store',
  witness: '/memory/store.witness',
  guard: '/elsewhere/store.guard',
} as const

/** When everything in memory is witnessed. */
export const MEMORY_TIME_MS = Date.UTC(2026, 10, 3, 12, 30)

/** The disk of a worker: its store, the witness beside it, and the rollback guard elsewhere. */
export class DurableMemory implements StoreDisk {
  readonly place: StorePlace
  readonly store: Memory
  readonly witness: MemoryFile
  readonly guard: MemoryFile
  /** Whether the store is to start a new log. */
  logIsFull = false
  /** How often the store was opened. */
  openings = 0
  /** Whether the store is checked against its witness when it is opened. */
  readonly #isVerified: boolean
  #probeFailure: Error | null = null

  constructor(
    store = new Memory(),
    witness = new MemoryFile(),
    guard = new MemoryFile(),
    options: { readonly isVerified?: boolean; readonly place?: StorePlace } = {},
  ) {
    this.store = store
    this.witness = witness
    this.guard = guard
    this.#isVerified = options.isVerified ?? false
    this.place = options.place ?? MEMORY_PLACE
  }

  async open(known: KnownState): Promise<Corestore> {
    this.openings += 1
    if (this.#isVerified) await this.#verify(known)
    this.store.assertWritable()
    return memoryStore(this.store)
  }

  async sync(): Promise<void> {
    this.store.sync()
  }

  async release(): Promise<void> {}

  async probe(): Promise<void> {
    if (this.#probeFailure !== null) throw this.#probeFailure
  }

  async isLogFull(): Promise<boolean> {
    return this.logIsFull
  }

  /** From now on every write fails with this error; null: writes succeed again. */
  fail(failure: Error | null): void {
    this.store.failure = failure
    this.witness.failure = failure
    this.guard.failure = failure
    this.#probeFailure = failure
  }

  /** A check whether the disk can be written succeeds. */
  pretendRoom(): void {
    this.#probeFailure = null
  }

  /** The same disk, whose store is checked against its witness whenever it is opened. */
  verified(): DurableMemory {
    const { store, witness, guard, place } = this
    return new DurableMemory(store, witness, guard, { isVerified: true, place })
  }

  /** The files of the witness and the guard. */
  get files(): MemoryFiles {
    return new MemoryFiles([
      [MEMORY_PLACE.witness, this.witness],
      [MEMORY_PLACE.guard, this.guard],
    ])
  }

  /** @param random decides what reached the disk although it was not synced; left out: nothing */
  afterPowerCut(random?: Random): DurableMemory {
    return new DurableMemory(
      this.store.afterPowerCut(random),
      this.witness.afterPowerCut(random),
      this.guard.afterPowerCut(random),
    )
  }

  copy(): DurableMemory {
    return new DurableMemory(this.store.copy(), this.witness.copy(), this.guard.copy())
  }

  async #verify(known: KnownState): Promise<void> {
    const inspected = memoryStore(this.store)
    try {
      await verifyStore(inspected, known, this.place)
    } finally {
      await closeAnyway(inspected)
    }
  }
}

/** A disk after a power cut, and what a test has noted at that moment. */
export interface PowerCutDisk<Note> {
  readonly disk: DurableMemory
  readonly noted: Note
}

/**
 * Collects what a power cut would leave of a disk, before and after each of its syncs, while the disk is used.
 *
 * @param random decides what reached the disk although it was not synced; each second cut loses all of it
 * @param note what the test wants to know of the moment, for instance what was acknowledged
 */
export function collectPowerCuts<Note>(
  memory: DurableMemory,
  random: Random,
  note: () => Note,
): readonly PowerCutDisk<Note>[] {
  const cuts: PowerCutDisk<Note>[] = []
  const cut = () => {
    for (const fate of [undefined, random]) {
      cuts.push({ disk: memory.afterPowerCut(fate), noted: note() })
    }
  }
  const { store } = memory
  const syncStore = store.sync.bind(store)
  sinon.stub(store, 'sync').callsFake(() => {
    cut()
    syncStore()
    cut()
  })
  for (const file of [memory.witness, memory.guard]) {
    const syncFile = file.sync.bind(file)
    sinon.stub(file, 'sync').callsFake(async () => {
      cut()
      await syncFile()
      cut()
    })
  }
  return cuts
}

/** A store in memory, not checked against its witness as a whole. The caller makes it ready and closes it. */
export function durableMemoryStore(
  memory = new DurableMemory(),
  clock: Clock = new VirtualClock(MEMORY_TIME_MS),
): DurableStore {
  const { files, place } = memory
  const record = (path: string) => new Witness({ files, place, clock, path })
  return new DurableStore({
    disk: memory,
    witness: record(MEMORY_PLACE.witness),
    guard: new RollbackGuard({ record: record(MEMORY_PLACE.guard), clock }),
    clock,
  })
}

/**
 * A store in memory, opened as `openStore` opens one: read and checked against its witness first.
 *
 * @throws StarlingError STORE_DAMAGED
 */
export async function openMemoryStore(
  memory: DurableMemory,
  clock: Clock = new VirtualClock(MEMORY_TIME_MS),
): Promise<DurableStore> {
  const store = durableMemoryStore(memory.verified(), clock)
  await store.ready()
  return store
}

/** Opens the store and stores a record for each of these owners, one after the other. */
export async function writeCats(memory: DurableMemory, owners: readonly string[]): Promise<void> {
  const store = await openMemoryStore(memory)
  const records = createRecords(store)
  for (const owner of owners) await insert(records, owner, `the cat of ${owner}`)
  await records.close()
  await store.close()
}

/** Opens the store. @returns those of these owners that have a record */
export async function readCats(
  memory: DurableMemory,
  owners: readonly string[],
): Promise<readonly string[]> {
  const store = await openMemoryStore(memory)
  const records = createRecords(store)
  const values = await Promise.all(owners.map((owner) => valueAt(records, owner)))
  await records.close()
  await store.close()
  return owners.filter((_, index) => values[index] !== undefined)
}
