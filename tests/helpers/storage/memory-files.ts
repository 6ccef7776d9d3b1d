import type { Random } from '../../../facilities/clock/random.js'
import type { DurableFile, Files } from '../../../facilities/files/files.js'

/** What a disk writes atomically at least. */
export const SECTOR_BYTES = 512

/** Something that was done to a file and is not synced. */
type Operation =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly length: number }

/**
 * One file on a disk in memory, or its absence. It knows what was synced and what was not, so that a power cut
 * can lose, tear or flip the latter.
 */
export class MemoryFile {
  /** How often it was written or replaced. */
  writes = 0
  /** The error of every change, for instance of a full disk. */
  failure: Error | null = null
  /** Counts replacements and removals: an open file stays the old one. */
  generation = 0
  #content: Buffer | undefined
  #synced: Buffer | undefined
  #unsynced: Operation[] = []

  /** @param bytes its content, on disk; undefined: there is no such file */
  constructor(bytes?: Uint8Array) {
    this.bytes = bytes
  }

  /** What a reader finds now. Setting it replaces the file, synced. */
  get bytes(): Buffer | undefined {
    return this.#content
  }

  set bytes(bytes: Uint8Array | undefined) {
    this.generation += 1
    this.#content = bytes && Buffer.from(bytes)
    this.#synced = bytes && Buffer.from(bytes)
    this.#unsynced = []
  }

  async replace(bytes: Uint8Array): Promise<void> {
    this.#assertWritable()
    this.writes += 1
    this.bytes = bytes
  }

  async remove(): Promise<boolean> {
    this.#assertWritable()
    const isThere = this.#content !== undefined
    this.bytes = undefined
    return isThere
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#assertWritable()
    this.writes += 1
    this.#do({ kind: 'write', offset, bytes: Buffer.from(bytes) })
  }

  async truncate(length: number): Promise<void> {
    this.#assertWritable()
    this.#do({ kind: 'truncate', length })
  }

  async sync(): Promise<void> {
    this.#assertWritable()
    this.#synced = this.#content && Buffer.from(this.#content)
    this.#unsynced = []
  }

  /**
   * The same file after a power cut now.
   *
   * @param random decides for each sector that was not synced whether it reached the disk, was lost or torn, or
   *   has a flipped bit. Left out: nothing that was not synced reached the disk
   */
  afterPowerCut(random?: Random): MemoryFile {
    if (this.#synced === undefined || random === undefined) return new MemoryFile(this.#synced)
    let content = this.#synced
    for (const operation of this.#unsynced) {
      for (const part of survivors(operation, random)) content = applied(content, part)
    }
    return new MemoryFile(content)
  }

  /** A backup taken now, with everything that was written. */
  copy(): MemoryFile {
    return new MemoryFile(this.#content)
  }

  #do(operation: Operation): void {
    if (this.#content === undefined) throw new Error('There is no such file')
    this.#content = applied(this.#content, operation)
    this.#unsynced.push(operation)
  }

  #assertWritable(): void {
    if (this.failure !== null) throw this.failure
  }
}

/** Files on a disk in memory. They outlive whoever opens them. */
export class MemoryFiles implements Files {
  readonly #files: Map<string, MemoryFile>

  /** @param files the initial content of the disk, by path */
  constructor(files: Iterable<readonly [string, MemoryFile]> = []) {
    this.#files = new Map(files)
  }

  /** The file with this path, which need not exist on the disk. */
  at(path: string): MemoryFile {
    const file = this.#files.get(path) ?? new MemoryFile()
    this.#files.set(path, file)
    return file
  }

  async open(path: string): Promise<DurableFile | undefined> {
    const file = this.at(path)
    return file.bytes === undefined ? undefined : new OpenMemoryFile(file)
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    await this.at(path).replace(bytes)
  }

  async remove(path: string): Promise<boolean> {
    return await this.at(path).remove()
  }

  /** The same disk after a power cut now: see {@link MemoryFile.afterPowerCut}. */
  afterPowerCut(random?: Random): MemoryFiles {
    return new MemoryFiles(
      [...this.#files].map(([path, file]) => [path, file.afterPowerCut(random)] as const),
    )
  }
}

/** An open file. It fails once it is closed, and where a real one would be another file by now. */
class OpenMemoryFile implements DurableFile {
  readonly #file: MemoryFile
  readonly #generation: number
  #isClosed = false

  constructor(file: MemoryFile) {
    this.#file = file
    this.#generation = file.generation
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return Buffer.from(this.#current.subarray(offset, offset + length))
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#assertCurrent()
    await this.#file.write(offset, bytes)
  }

  async sync(): Promise<void> {
    this.#assertCurrent()
    await this.#file.sync()
  }

  async truncate(length: number): Promise<void> {
    this.#assertCurrent()
    await this.#file.truncate(length)
  }

  async length(): Promise<number> {
    return this.#current.byteLength
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  get #current(): Buffer {
    this.#assertCurrent()
    return this.#file.bytes ?? Buffer.alloc(0)
  }

  #assertCurrent(): void {
    if (this.#isClosed) throw new Error('The file is closed')
    if (this.#generation !== this.#file.generation) throw new Error('The file was replaced')
  }
}

/** The content after an operation. */
function applied(content: Buffer, operation: Operation): Buffer {
  if (operation.kind === 'truncate') {
    const next = Buffer.alloc(operation.length)
    content.copy(next)
    return next
  }
  const { offset, bytes } = operation
  const next = Buffer.alloc(Math.max(content.byteLength, offset + bytes.byteLength))
  content.copy(next)
  bytes.copy(next, offset)
  return next
}

/** What reaches the disk of an operation that is not synced when the power fails. */
function survivors(operation: Operation, random: Random): readonly Operation[] {
  if (operation.kind === 'truncate') return random.below(2) === 0 ? [] : [operation]
  const { offset, bytes } = operation
  const parts: Operation[] = []
  for (let start = 0; start < bytes.byteLength; ) {
    const end = Math.min(bytes.byteLength, start + SECTOR_BYTES - ((offset + start) % SECTOR_BYTES))
    const sector = survivor(Buffer.from(bytes.subarray(start, end)), random)
    if (sector !== undefined) parts.push({ kind: 'write', offset: offset + start, bytes: sector })
    start = end
  }
  return parts
}

/** A sector as it reaches the disk: whole, torn, with a flipped bit, or not at all. */
function survivor(sector: Buffer, random: Random): Buffer | undefined {
  const fate = random.below(4)
  if (fate === 0) return undefined
  if (fate === 1) return sector.subarray(0, random.below(sector.byteLength + 1))
  if (fate === 2) {
    const bit = random.below(sector.byteLength * 8)
    sector.writeUInt8(sector.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  }
  return sector
}
