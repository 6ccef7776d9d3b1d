import RandomAccessMemory from 'random-access-memory'
import type { FileContent } from '../../../facilities/files/replace-file.js'
import {
  type ModelStorage,
  type StoredEntry,
  StoredFile,
} from '../../../facilities/models/model-storage.js'

/** A folder of models in memory that can fail as a disk does. */
export class MemoryModelStorage implements ModelStorage {
  readonly place = 'memory'
  /** Free space in bytes; undefined when it is not known. */
  free: number | undefined
  /** Writing beyond this position of a file fails, as on a full disk. */
  fullAtByte = Number.POSITIVE_INFINITY
  /** Files in the order in which they were made durable. */
  readonly synced: string[] = []
  readonly #files = new Map<string, RandomAccessMemory>()
  readonly #modifiedAtMs = new Map<string, number>()
  #now = 0

  async prepare(): Promise<void> {
    // The folder always exists.
  }

  open(name: string): StoredFile {
    // The first write creates a file; closing keeps it.
    return new OpenFile(this, name)
  }

  async list(): Promise<readonly StoredEntry[]> {
    return [...this.#files.keys()]
      .map((name) => this.#entry(name))
      .filter((entry) => entry !== undefined)
  }

  async entry(name: string): Promise<StoredEntry | undefined> {
    return this.#entry(name)
  }

  async replace(name: string, content: FileContent): Promise<void> {
    const isWhole = typeof content === 'string' || content instanceof Uint8Array
    const bytes = Buffer.concat([...(isWhole ? [Buffer.from(content)] : content)])
    const before = this.#files.get(name)
    this.#files.delete(name)
    try {
      await this.open(name).write(0, bytes)
      this.synced.push(name)
    } catch (error) {
      if (before !== undefined) this.#files.set(name, before)
      throw error
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const file = this.#files.get(from)
    if (file === undefined) throw new Error(`ENOENT: ${from}`)
    this.#files.delete(from)
    this.#files.set(to, file)
    this.#modifiedAtMs.set(to, this.#modifiedAtMs.get(from) ?? 0)
  }

  async remove(name: string): Promise<void> {
    this.#files.delete(name)
  }

  async freeBytes(): Promise<number | undefined> {
    return this.free
  }

  /** The names of all files, sorted. */
  names(): string[] {
    return [...this.#files.keys()].sort()
  }

  /** The content of a file; undefined when there is none. */
  content(name: string): Buffer | undefined {
    return this.#files.get(name)?.toBuffer()
  }

  /** Creates or replaces a file. */
  async put(name: string, content: string | Uint8Array, modifiedAtMs = 0): Promise<void> {
    const file = this.open(name)
    await this.remove(name)
    await file.write(0, Buffer.from(content))
    this.#modifiedAtMs.set(name, modifiedAtMs)
  }

  existing(name: string): RandomAccessMemory {
    const file = this.#files.get(name)
    if (file === undefined) throw new Error(`ENOENT: ${name}`)
    return file
  }

  writable(name: string, endByte: number): RandomAccessMemory {
    if (endByte > this.fullAtByte) throw new Error('ENOSPC: no space left on device')
    const file = this.#files.get(name) ?? new RandomAccessMemory()
    this.#files.set(name, file)
    this.#now += 1
    this.#modifiedAtMs.set(name, this.#now)
    return file
  }

  #entry(name: string): StoredEntry | undefined {
    const file = this.#files.get(name)
    if (file === undefined) return undefined
    return { name, sizeBytes: file.length, modifiedAtMs: this.#modifiedAtMs.get(name) ?? 0 }
  }
}

/** Looks its file up in every operation, as a path does. */
class OpenFile extends StoredFile {
  readonly #folder: MemoryModelStorage
  readonly #name: string
  #isClosed = false

  constructor(folder: MemoryModelStorage, name: string) {
    super(new RandomAccessMemory(), async () => {
      folder.synced.push(name)
    })
    this.#folder = folder
    this.#name = name
  }

  override async read(offset: number, sizeBytes: number): Promise<Uint8Array> {
    return await this.#on(this.#folder.existing(this.#name)).read(offset, sizeBytes)
  }

  override async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#on(this.#folder.writable(this.#name, offset + bytes.length)).write(offset, bytes)
  }

  override async truncate(sizeBytes: number): Promise<void> {
    await this.#on(this.#folder.writable(this.#name, 0)).truncate(sizeBytes)
  }

  override async close(): Promise<void> {
    this.#isClosed = true
  }

  #on(memory: RandomAccessMemory): StoredFile {
    if (this.#isClosed) throw new Error('Closed')
    return new StoredFile(memory, async () => undefined)
  }
}
