import type Corestore from 'corestore'
import type { Clock } from '../../../facilities/clock/clock.js'
import type { Random } from '../../../facilities/clock/random.js'
import type { DurableFile, Files } from '../../../facilities/files/files.js'
import type { StoreDisk } from '../../../facilities/store/store-disk.js'
import type { KnownState, StorePlace } from '../../../facilities/store/store-errors.js'
import { closeAnyway, verifyStore } from '../../../facilities/store/verify-store.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { MEMORY_PLACE } from '../../helpers/storage/durable-memory.js'
import { MemoryFiles } from '../../helpers/storage/memory-files.js'
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
  files = new MemoryFiles()

  constructor(condition: DiskCondition) {
    this.condition = condition
  }

  /** @throws StarlingError DISK_FULL */
  assertRoom(): void {
    if (!this.condition.isFull) return
    throw new StarlingError('DISK_FULL', 'The disk is full')
  }

  /**
   * The disk after its process has been killed, or after its power was cut: then, of what was not synced, only a
   * part that the random numbers decide is there.
   */
  crash(isPowerCut: boolean, random: Random): void {
    this.store = this.store.afterCrash(isPowerCut, random)
    if (isPowerCut) this.files = this.files.afterPowerCut(random)
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

/** A disk as one process uses it. Once the process has ended, nothing it began is ever done. */
export class DiskSession implements StoreDisk {
  readonly place: StorePlace = MEMORY_PLACE
  readonly files: Files
  readonly #disk: SimulatedDisk
  readonly #store: UnsyncedMemory
  readonly #clock: Clock

  constructor(disk: SimulatedDisk, clock: Clock) {
    this.#disk = disk
    this.#store = disk.store
    this.#clock = clock
    this.files = new FilesSession(disk, clock)
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

/** The files on a disk as one process uses them. */
class FilesSession implements Files {
  readonly #disk: SimulatedDisk
  readonly #files: MemoryFiles
  readonly #clock: Clock

  constructor(disk: SimulatedDisk, clock: Clock) {
    this.#disk = disk
    this.#files = disk.files
    this.#clock = clock
  }

  async open(path: string): Promise<DurableFile | undefined> {
    const file = await this.#files.open(path)
    if (file === undefined) return undefined
    const change = async (work: () => Promise<void>) => {
      this.#disk.assertRoom()
      await work()
    }
    return {
      read: (offset, length) => file.read(offset, length),
      length: () => file.length(),
      close: () => file.close(),
      write: (offset, bytes) => change(() => file.write(offset, bytes)),
      truncate: (length) => change(() => file.truncate(length)),
      sync: () => this.#slowly(() => file.sync()),
    }
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    await this.#slowly(() => this.#files.replace(path, bytes))
  }

  async remove(path: string): Promise<boolean> {
    return await this.#slowly(() => this.#files.remove(path))
  }

  async #slowly<T>(work: () => Promise<T>): Promise<T> {
    await this.#clock.sleep(this.#disk.condition.syncMs)
    this.#disk.assertRoom()
    return await work()
  }
}
