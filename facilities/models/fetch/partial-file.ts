import { createHash, type Hash } from 'node:crypto'
import { isSameState, mayBeSameState, rangeCondition } from '../../../helpers/http/http-range.js'
import { GGUF_MAGIC } from '../../../helpers/models/gguf/gguf-file.js'
import type { Random } from '../../clock/random.js'
import { type PrepareOptions, throwIfCancelled } from '../model-progress.js'
import { type DownloadJournal, JOURNAL, readRecord, writeRecord } from '../model-records.js'
import type { ModelStorage, StoredFile } from '../model-storage.js'
import type { RemoteAnswer } from './remote-file.js'

/** The suffix of the name of a file while it is fetched. */
export const PARTIAL_ENDING = '.partial'

/** The size of one read when existing data is hashed. */
const CHUNK_BYTES = 4 * 1024 * 1024

/** How much may be lost in a power cut: about a second of a fast connection. */
const CHECKPOINT_BYTES = 32 * 1024 * 1024

/** The parts of a {@link PartialFile}. */
export interface PartialFileOptions {
  readonly storage: ModelStorage
  readonly random: Random
  /** The name of the finished file. */
  readonly fileName: string
  /** For messages and lists. */
  readonly name: string
  readonly source: string
  /** SHA-256 of the URL. */
  readonly address: string
  /** The expected hash of the whole file, if it is known. */
  readonly expectedSha256: string | undefined
}

/**
 * A file while it is fetched. It is hashed as it grows. It survives the process, with a journal that records
 * which file it is a part of.
 *
 * After a power cut a file may be longer than the data that was really written. If the hash of the whole file
 * is known, that is detected at the end; otherwise only the synced part is kept.
 */
export class PartialFile {
  readonly #options: PartialFileOptions
  readonly #file: StoredFile
  #journal: DownloadJournal | null = null
  #hash: Hash = createHash('sha256')
  #beginning = ''
  #sizeBytes = 0

  private constructor(options: PartialFileOptions) {
    this.#options = options
    this.#file = options.storage.open(options.fileName + PARTIAL_ENDING)
  }

  /**
   * Opens the file and hashes the data of earlier downloads. Progress is of the phase `verifying`.
   *
   * @throws the error of the storage; StarlingError CANCELLED
   */
  static async open(options: PartialFileOptions, prepare: PrepareOptions): Promise<PartialFile> {
    const partial = new PartialFile(options)
    try {
      await options.storage.prepare()
      await partial.#restore(prepare)
      return partial
    } catch (error) {
      await partial.close()
      throw error
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** The size of the whole file; undefined if the server has not sent it. */
  get totalBytes(): number | undefined {
    return this.#journal?.totalBytes ?? undefined
  }

  get isWhole(): boolean {
    return this.#journal !== null && this.#sizeBytes === this.#journal.totalBytes
  }

  /** Whether it begins with the magic number of GGUF; undefined while it is too short. */
  get isGguf(): boolean | undefined {
    return this.#beginning.length < GGUF_MAGIC.length ? undefined : this.#beginning === GGUF_MAGIC
  }

  /** The expected hash of the whole file, from the reference or the hub; undefined if unknown. */
  get expectedSha256(): string | undefined {
    return this.#options.expectedSha256 ?? this.#journal?.sha256 ?? undefined
  }

  /** The condition of a request for the rest: see `rangeCondition`. */
  get condition(): string | undefined {
    return this.#journal === null ? undefined : rangeCondition(this.#journal)
  }

  /**
   * Whether the rest can be requested: without a hash or a condition, the rest of another file would not be
   * detected.
   */
  get isContinuable(): boolean {
    return this.#sizeBytes > 0 && (this.expectedSha256 ?? this.condition) !== undefined
  }

  /** Whether an answer continues this file. */
  isContinuedBy(answer: RemoteAnswer): boolean {
    const journal = this.#journal
    if (journal === null || answer.kind !== 'part' || answer.start !== this.#sizeBytes) return false
    const total = journal.totalBytes ?? undefined
    const isSameFile = this.expectedSha256 === undefined ? isSameState : mayBeSameState
    return (
      (total === undefined || answer.totalBytes === undefined || total === answer.totalBytes) &&
      (journal.sha256 === null ||
        answer.sha256 === undefined ||
        journal.sha256 === answer.sha256) &&
      isSameFile(journal, answer.state)
    )
  }

  /** Discards the content, which no longer belongs to the file. */
  async reset(): Promise<void> {
    if (this.#sizeBytes > 0) await this.#file.truncate(0)
    this.#forget()
  }

  /** After a reset: records which file is fetched. */
  async begin(answer: Pick<RemoteAnswer, 'state' | 'totalBytes' | 'sha256'>): Promise<void> {
    const { name, source, address } = this.#options
    // Also data of a process that was killed before it wrote a journal.
    await this.#file.truncate(0)
    await this.#write({
      version: 1,
      name,
      source,
      address,
      ...answer.state,
      totalBytes: answer.totalBytes ?? null,
      sha256: answer.sha256 ?? null,
      durableBytes: 0,
    })
  }

  /** Removes the file and its journal. */
  async discard(): Promise<void> {
    const { storage, fileName } = this.#options
    this.#forget()
    await this.#file.close()
    await storage.remove(fileName + PARTIAL_ENDING)
    await storage.remove(fileName + JOURNAL.ending)
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#file.write(this.#sizeBytes, bytes)
    this.#take(bytes)
    const durableBytes = this.#journal?.durableBytes ?? 0
    if (this.#sizeBytes - durableBytes >= CHECKPOINT_BYTES) await this.checkpoint()
  }

  /** Makes the content durable. */
  async checkpoint(): Promise<void> {
    if (this.#journal === null || this.#journal.durableBytes === this.#sizeBytes) return
    await this.#file.sync()
    await this.#write({ ...this.#journal, durableBytes: this.#sizeBytes })
  }

  /** Marks the file as complete if the server has not sent its length. */
  async endHere(): Promise<void> {
    if (this.#journal === null) return
    await this.#file.sync()
    const sizeBytes = this.#sizeBytes
    await this.#write({ ...this.#journal, totalBytes: sizeBytes, durableBytes: sizeBytes })
  }

  sha256(): string {
    return this.#hash.copy().digest('hex')
  }

  /** Renames the whole file durably. This object must not be used afterwards. */
  async finish(): Promise<void> {
    const { storage, fileName } = this.#options
    await this.#file.sync()
    await this.#file.close()
    await storage.rename(fileName + PARTIAL_ENDING, fileName)
    await storage.remove(fileName + JOURNAL.ending)
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #restore(prepare: PrepareOptions): Promise<void> {
    const { storage, fileName, address, expectedSha256 } = this.#options
    const journal = await readRecord(storage, fileName, JOURNAL)
    const entry = await storage.entry(fileName + PARTIAL_ENDING)
    if (journal === undefined || entry === undefined || journal.address !== address) return
    const isHashKnown = expectedSha256 !== undefined || journal.sha256 !== null
    const keptBytes = isHashKnown
      ? entry.sizeBytes
      : Math.min(entry.sizeBytes, journal.durableBytes)
    if (keptBytes > (journal.totalBytes ?? Infinity)) return
    for (let offset = 0; offset < keptBytes; offset += CHUNK_BYTES) {
      throwIfCancelled(prepare.signal)
      this.#take(await this.#file.read(offset, Math.min(CHUNK_BYTES, keptBytes - offset)))
      prepare.onProgress?.({ phase: 'verifying', fraction: this.#sizeBytes / keptBytes })
    }
    if (keptBytes < entry.sizeBytes) await this.#file.truncate(keptBytes)
    this.#journal = journal
  }

  #take(bytes: Uint8Array): void {
    const missing = GGUF_MAGIC.length - this.#beginning.length
    if (missing > 0) this.#beginning += Buffer.from(bytes.subarray(0, missing)).toString('latin1')
    this.#hash.update(bytes)
    this.#sizeBytes += bytes.length
  }

  #forget(): void {
    this.#journal = null
    this.#hash = createHash('sha256')
    this.#beginning = ''
    this.#sizeBytes = 0
  }

  async #write(journal: DownloadJournal): Promise<void> {
    const { storage, fileName, random } = this.#options
    await writeRecord(storage, fileName, JOURNAL, journal, random)
    this.#journal = journal
  }
}
