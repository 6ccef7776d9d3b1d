import type { FileHandle } from 'node:fs/promises'
import type { StarlingError } from '../../helpers/errors/starling-error.js'
import { unusablePath } from '../files/disk-failure.js'
import { replaceFile } from '../files/replace-file.js'
import { openTrustedFile, readTrustedFile } from '../files/trusted-file.js'

/** A witness has two slots of 4,096 bytes. */
const MAX_WITNESS_BYTES = 65_536

/** The storage of a witness. Data is on disk when a method resolves. */
export interface WitnessStorage {
  /** Undefined if there is none. @throws StarlingError HOME_UNUSABLE, DISK_FULL, DISK_FAILED */
  read(): Promise<Uint8Array | undefined>
  /** Creates it, whole or not at all. @throws StarlingError HOME_UNUSABLE, DISK_FULL, DISK_FAILED */
  create(bytes: Uint8Array): Promise<void>
  /** Overwrites a part of it. A power cut leaves the rest unchanged. @throws StarlingError HOME_UNUSABLE, DISK_FULL, DISK_FAILED */
  overwrite(offset: number, bytes: Uint8Array): Promise<void>
  close(): Promise<void>
}

/** A witness in a file. One process uses it at a time. */
export class WitnessFile implements WitnessStorage {
  readonly #path: string
  #file: FileHandle | null = null

  constructor(path: string) {
    this.#path = path
  }

  async read(): Promise<Uint8Array | undefined> {
    try {
      return await readTrustedFile(this.#path, { maxBytes: MAX_WITNESS_BYTES })
    } catch (cause) {
      throw this.#unusable('read', cause)
    }
  }

  async create(bytes: Uint8Array): Promise<void> {
    try {
      await replaceFile(this.#path, bytes, { syncsFolder: true })
    } catch (cause) {
      throw this.#unusable('created', cause)
    }
  }

  async overwrite(offset: number, bytes: Uint8Array): Promise<void> {
    try {
      this.#file ??= await openTrustedFile(this.#path, 'update')
      await writeFully(this.#file, bytes, offset)
      // The length does not change, so only the content has to be synced.
      await this.#file.datasync()
    } catch (cause) {
      throw this.#unusable('written', cause)
    }
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = null
  }

  #unusable(verb: string, cause: unknown): StarlingError {
    return unusablePath(this.#path, `cannot be ${verb}`, cause)
  }
}

async function writeFully(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, offset + done)
    done += bytesWritten
  }
}
