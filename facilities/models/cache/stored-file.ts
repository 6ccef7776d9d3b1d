import type RandomAccessStorage from 'random-access-storage'

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
