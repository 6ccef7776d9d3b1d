import type RandomAccessStorage from 'random-access-storage'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Random } from '../clock/random.js'
import { freeBytes, isDiskFull } from '../files/disk-failure.js'
import type { FileContent } from '../files/replace-file.js'

/** A file as a list shows it. */
export interface StoredEntry {
  readonly name: string
  readonly sizeBytes: number
  /** By the clock of the storage, in milliseconds. */
  readonly modifiedAtMs: number
}

/**
 * Where the model cache writes: a flat folder of files with names. The disk in earnest
 * ({@link DiskModelStorage}), memory in tests.
 */
export interface ModelStorage {
  /** Where that is, for messages. */
  readonly place: string
  /** Makes the folder itself ready. @throws the error of the storage */
  prepare(): Promise<void>
  /** A file to read or to write; close it. */
  open(name: string): StoredFile
  /** Every file. */
  list(): Promise<readonly StoredEntry[]>
  /** Undefined when there is no such file. */
  entry(name: string): Promise<StoredEntry | undefined>
  /**
   * Replaces a file atomically and durably: see {@link replaceFile}. Prepares the folder, too.
   *
   * @throws the error of the storage, or of the content's iterator; the file is then unchanged
   */
  replace(name: string, content: FileContent, random: Random): Promise<void>
  /** Renames a file atomically and durably. A file that has the new name is replaced. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file, if there is one. */
  remove(name: string): Promise<void>
  /** What may still be written; undefined where that is not known. */
  freeBytes(): Promise<number | undefined>
}

type Callback<Result> = (error: Error | null, result: Result) => void

/**
 * One file of a {@link ModelStorage} while it is read or written: the random-access-storage
 * interface with promises. Made by the first write.
 */
export class StoredFile {
  readonly #storage: RandomAccessStorage
  readonly #sync: () => Promise<void>

  /** @param sync makes durable what was written */
  constructor(storage: RandomAccessStorage, sync: () => Promise<void>) {
    this.#storage = storage
    this.#sync = sync
  }

  /** @throws the error of the storage, also when not all of the bytes are there */
  read(offset: number, sizeBytes: number): Promise<Uint8Array> {
    return settled((callback) => this.#storage.read(offset, sizeBytes, callback))
  }

  /** @throws the error of the storage: no room, no permission */
  write(offset: number, bytes: Uint8Array): Promise<void> {
    return settled((callback) => this.#storage.write(offset, bytes, callback))
  }

  /** Cuts what is behind, or fills up with zeros. */
  truncate(sizeBytes: number): Promise<void> {
    return settled((callback) => this.#storage.truncate(sizeBytes, callback))
  }

  /** Resolves when what was written outlives a power cut. */
  async sync(): Promise<void> {
    await this.#sync()
  }

  close(): Promise<void> {
    return settled((callback) => this.#storage.close(callback))
  }
}

function settled<Result>(start: (callback: Callback<Result>) => void): Promise<Result> {
  return new Promise((resolve, reject) => {
    start((error, result) => (error ? reject(error) : resolve(result)))
  })
}

/**
 * Does what writes a model to the disk.
 *
 * @param name of the model
 * @param place where it is written
 * @param sizeBytes that it takes, where that is known
 * @throws StarlingError MODEL_WRITE_FAILED for everything but a StarlingError
 */
export async function withWriteErrors<Result>(
  name: string,
  place: string,
  sizeBytes: number | undefined,
  action: () => Promise<Result>,
): Promise<Result> {
  try {
    return await action()
  } catch (cause) {
    if (cause instanceof StarlingError) throw cause
    const size = sizeBytes === undefined ? '' : ` (${megabytes(sizeBytes)})`
    const reason = cause instanceof Error ? cause.message : String(cause)
    const free = isDiskFull(cause) ? freeBytes(place) : undefined
    const room = free === undefined ? '' : `; ${Math.floor(free / 1e6)} MB are free`
    throw new StarlingError(
      'MODEL_WRITE_FAILED',
      `the model ${name} cannot be written to ${place}${size}: ${reason}${room}`,
      { cause },
    )
  }
}

/** `28 MB`, rounded up. */
export function megabytes(sizeBytes: number): string {
  return `${Math.ceil(sizeBytes / 1e6)} MB`
}
