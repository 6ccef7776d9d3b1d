import type Corestore from 'corestore'
import type { Clock } from '../../../facilities/clock/clock.js'
import type { Random } from '../../../facilities/clock/random.js'
import type { StoreDisk } from '../../../facilities/store/store-disk.js'
import type { KnownState, StorePlace } from '../../../facilities/store/store-errors.js'
import { closeAnyway, verifyStore } from '../../../facilities/store/verify-store.js'
import type { WitnessStorage } from '../../../facilities/store/witness-file.js'
import { MEMORY_PLACE } from '../../helpers/storage/durable-memory.js'
import { Memory, memoryStore } from '../../helpers/storage/memory-storage.js'

/** How a disk behaves at the moment. */
export interface DiskCondition {
  /** How long a sync takes, in milliseconds. */
  readonly syncMs: number
  readonly isFull: boolean
}

/** The disk of a machine. It outlives the processes that use it. */
export class SimulatedDisk {
  condition: DiskCondition
  store = new UnsyncedMemory(new Map(), () => this.assertRoom())
  witness = new SimulatedFile()
  guard = new SimulatedFile()

  constructor(condition: DiskCondition) {
    this.condition = condition
  }

  /** @throws Error as the system does when the disk is full */
  assertRoom(): void {
    if (!this.condition.isFull) return
    const message = 'ENOSPC: no space left on device, write'
    throw Object.assign(new Error(message), { code: 'ENOSPC' })
  }

  /**
   * The disk after its process has been killed, or after its power was cut: then, of what was not synced, only a
   * part that the random numbers decide is there.
   */
  crash(isPowerCut: boolean, random: Random): void {
    this.store = this.store.afterCrash(isPowerCut, random)
    this.witness = this.witness.afterCrash(isPowerCut, random)
    this.guard = this.guard.afterCrash(isPowerCut, random)
  }
}

/** The content of a store, of which only what was synced survives a power cut. Writes reach the disk in order. */
class UnsyncedMemory extends Memory {
  #synced: ReadonlyMap<string, Buffer>
  /** The states since the last sync, each before a write. */
  #unsynced: ReadonlyMap<string, Buffer>[] = []
  readonly #assertRoom: () => void

  constructor(entries = new Map<string, Buffer>(), assertRoom: () => void = () => undefined) {
    super(entries)
    this.#synced = new Map(entries)
    this.#assertRoom = assertRoom
  }

  override assertWritable(): void {
    this.#assertRoom()
    this.#unsynced.push(new Map(this.entries))
  }

  /** @returns to be called when what is written now is on disk */
  beginSync(): () => void {
    const synced = new Map(this.entries)
    const covered = this.#unsynced.length
    return () => {
      this.#synced = synced
      this.#unsynced = this.#unsynced.slice(covered)
    }
  }

  override sync(): void {
    this.beginSync()()
  }

  afterCrash(isPowerCut: boolean, random: Random): UnsyncedMemory {
    const possible = [this.#synced, ...this.#unsynced, this.entries]
    const kept = isPowerCut ? possible[random.below(possible.length)] : this.entries
    return new UnsyncedMemory(new Map(kept), this.#assertRoom)
  }
}

/** A small file beside the store. A write that a power cut interrupts is torn. */
class SimulatedFile {
  #bytes: Buffer | undefined
  #writing: Buffer | undefined

  constructor(bytes?: Buffer) {
    this.#bytes = bytes
  }

  get bytes(): Buffer | undefined {
    return this.#bytes && Buffer.from(this.#bytes)
  }

  /** @param whole the content after the write */
  begin(whole: Buffer): () => void {
    this.#writing = whole
    return () => {
      this.#bytes = whole
      this.#writing = undefined
    }
  }

  afterCrash(isPowerCut: boolean, random: Random): SimulatedFile {
    const [old, whole] = [this.#bytes, this.#writing]
    if (whole === undefined) return new SimulatedFile(old)
    // A file is created under another name first.
    if (old === undefined) return new SimulatedFile(random.below(2) === 0 ? undefined : whole)
    const written = isPowerCut ? random.below(whole.byteLength + 1) : whole.byteLength
    return new SimulatedFile(Buffer.concat([whole.subarray(0, written), old.subarray(written)]))
  }
}

/** A disk as one process uses it. Once the process has ended, nothing it began is ever done. */
export class DiskSession implements StoreDisk {
  readonly place: StorePlace = MEMORY_PLACE
  readonly witness: WitnessStorage
  readonly guard: WitnessStorage
  readonly #disk: SimulatedDisk
  readonly #store: UnsyncedMemory
  readonly #clock: Clock

  constructor(disk: SimulatedDisk, clock: Clock) {
    this.#disk = disk
    this.#store = disk.store
    this.#clock = clock
    this.witness = new FileSession(disk, disk.witness, clock)
    this.guard = new FileSession(disk, disk.guard, clock)
  }

  async open(known: KnownState): Promise<Corestore> {
    await this.#clock.sleep(this.#disk.condition.syncMs)
    const inspected = memoryStore(this.#store)
    try {
      await verifyStore(inspected, known, this.place)
    } finally {
      await closeAnyway(inspected)
    }
    this.#disk.assertRoom()
    return memoryStore(this.#store)
  }

  async sync(): Promise<void> {
    const synced = this.#store.beginSync()
    await this.#clock.sleep(this.#disk.condition.syncMs)
    this.#disk.assertRoom()
    synced()
  }

  async release(): Promise<void> {}

  async probe(): Promise<void> {
    this.#disk.assertRoom()
  }

  async isLogFull(): Promise<boolean> {
    return false
  }
}

class FileSession implements WitnessStorage {
  readonly #disk: SimulatedDisk
  readonly #file: SimulatedFile
  readonly #clock: Clock

  constructor(disk: SimulatedDisk, file: SimulatedFile, clock: Clock) {
    this.#disk = disk
    this.#file = file
    this.#clock = clock
  }

  async read(): Promise<Uint8Array | undefined> {
    return this.#file.bytes
  }

  async create(bytes: Uint8Array): Promise<void> {
    await this.#write(Buffer.from(bytes))
  }

  async overwrite(offset: number, bytes: Uint8Array): Promise<void> {
    const whole = this.#file.bytes
    if (whole === undefined) throw new Error('There is nothing to overwrite')
    whole.set(bytes, offset)
    await this.#write(whole)
  }

  async close(): Promise<void> {}

  async #write(whole: Buffer): Promise<void> {
    this.#disk.assertRoom()
    const written = this.#file.begin(whole)
    await this.#clock.sleep(this.#disk.condition.syncMs)
    written()
  }
}
