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
 * The storage of the model cache: a flat folder of files. On disk it is {@link DiskModelStorage}; tests
 * keep it in memory.
 */
export interface ModelStorage {
  /** The location, for messages. */
  readonly place: string
  /** Creates the folder if it is missing. @throws the error of the storage */
  prepare(): Promise<void>
  /** Opens a file for reading and writing. The caller closes it. */
  open(name: string): StoredFile
  /** All files. */
  list(): Promise<readonly StoredEntry[]>
  /** Undefined if there is no such file. */
  entry(name: string): Promise<StoredEntry | undefined>
  /**
   * Replaces a file atomically and durably: see {@link replaceFile}. Prepares the folder, too.
   *
   * @throws the error of the storage, or of the content's iterator; the file is then unchanged
   */
  replace(name: string, content: FileContent, random: Random): Promise<void>
  /** Renames a file atomically and durably. A file that has the new name is replaced. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file if it exists. */
  remove(name: string): Promise<void>
  /** The free space; undefined if it is unknown. */
  freeBytes(): Promise<number | undefined>
}

type Callback<Result> = (error: Error | null, result: Result) => void

/**
 * An open file of a {@link ModelStorage}: the random-access-storage interface with promises. The first write
 * creates the file.
 */
export class StoredFile {
  readonly #storage: RandomAccessStorage
  readonly #sync: () => Promise<void>

  /** @param sync makes all written data durable */
  constructor(storage: RandomAccessStorage, sync: () => Promise<void>) {
    this.#storage = storage
    this.#sync = sync
  }

  /** @throws the error of the storage, also if the file is shorter */
  read(offset: number, sizeBytes: number): Promise<Uint8Array> {
    return settled((callback) => this.#storage.read(offset, sizeBytes, callback))
  }

  /** @throws the error of the storage: no room, no permission */
  write(offset: number, bytes: Uint8Array): Promise<void> {
    return settled((callback) => this.#storage.write(offset, bytes, callback))
  }

  /** Shortens the file, or extends it with zeros. */
  truncate(sizeBytes: number): Promise<void> {
    return settled((callback) => this.#storage.truncate(sizeBytes, callback))
  }

  /** Resolves when all written data is on disk. */
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
 * Runs an action that writes a model to disk.
 *
 * @param name of the model
 * @param place the location, for the message
 * @param sizeBytes the size of the model, if known
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
