import { DurableStore } from '../../facilities/store/durable-store.js'
import { closeAnyway, verifyStore } from '../../facilities/store/verify-store.js'
import { Witness } from '../../facilities/store/witness.js'
import type { WitnessStorage } from '../../facilities/store/witness-file.js'
import { Memory, memoryStore } from './memory-storage.js'

/** What the messages of a store in memory call it. */
export const MEMORY_PLACE = { store: '/memory/store', witness: '/memory/store.witness' } as const

/** When everything in memory is witnessed. */
export const MEMORY_TIME_MS = Date.UTC(2026, 10, 3, 12, 30)

/** A witness's file in memory. Every write is synced, unless the power fails in its middle. */
export class MemoryWitness implements WitnessStorage {
  bytes: Buffer | undefined
  /** How often it was made or written. */
  writes = 0

  constructor(bytes?: Uint8Array) {
    this.bytes = bytes && Buffer.from(bytes)
  }

  async read(): Promise<Uint8Array | undefined> {
    return this.bytes && Buffer.from(this.bytes)
  }

  async create(bytes: Uint8Array): Promise<void> {
    this.writes += 1
    this.bytes = Buffer.from(bytes)
  }

  async overwrite(offset: number, bytes: Uint8Array): Promise<void> {
    this.writes += 1
    if (this.bytes === undefined) throw new Error('There is no witness to overwrite')
    this.bytes.set(bytes, offset)
  }

  async close(): Promise<void> {}
}

/** The disk of a worker: its store, and the witness beside it. */
export class DurableMemory {
  readonly store: Memory
  readonly witness: MemoryWitness

  constructor(store = new Memory(), witness = new MemoryWitness()) {
    this.store = store
    this.witness = witness
  }

  afterPowerCut(): DurableMemory {
    return new DurableMemory(this.store.afterPowerCut(), new MemoryWitness(this.witness.bytes))
  }

  copy(): DurableMemory {
    return new DurableMemory(this.store.copy(), new MemoryWitness(this.witness.bytes))
  }
}

/** A store in memory, not held against its witness as a whole. The caller closes it. */
export function durableMemoryStore(memory = new DurableMemory()): DurableStore {
  return new DurableStore({
    corestore: memoryStore(memory.store),
    witness: witnessOf(memory),
    place: MEMORY_PLACE,
  })
}

/**
 * A store in memory, opened as `openStore` opens one: read and held against its witness first.
 *
 * @throws StarlingError STORE_DAMAGED
 */
export async function openMemoryStore(memory: DurableMemory): Promise<DurableStore> {
  const said = await witnessOf(memory).load()
  const inspected = memoryStore(memory.store)
  try {
    await verifyStore(inspected, said, MEMORY_PLACE)
  } finally {
    await closeAnyway(inspected)
  }
  const store = durableMemoryStore(memory)
  await store.ready()
  return store
}

function witnessOf(memory: DurableMemory): Witness {
  return new Witness({
    storage: memory.witness,
    place: MEMORY_PLACE,
    clock: { now: () => MEMORY_TIME_MS },
  })
}
