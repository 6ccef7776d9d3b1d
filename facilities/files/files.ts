import { type FileHandle, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { unusablePath } from './disk-failure.js'
import { replaceFile, syncFolder } from './replace-file.js'
import { isSystemError } from './system-error.js'
import { openTrustedFile } from './trusted-file.js'

/**
 * An open file whose content has to survive a power cut. Offsets and lengths are in bytes. All methods throw
 * StarlingError HOME_UNUSABLE, DISK_FULL or DISK_FAILED.
 */
export interface DurableFile {
  /** The bytes from `offset` on: `length` of them, or fewer at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>

  /**
   * Writes all bytes from `offset` on; a gap before it is filled with zeros. Until the next `sync`, a power cut
   * may leave any part of them, or none.
   */
  write(offset: number, bytes: Uint8Array): Promise<void>

  /** Resolves when everything that was written before this call is on disk. */
  sync(): Promise<void>

  /** Shortens the file, or extends it with zeros. Until the next `sync`, a power cut may undo that. */
  truncate(length: number): Promise<void>

  /** The length of the file. */
  length(): Promise<number>

  close(): Promise<void>
}

/**
 * Files for what has to be on disk: records of what was acknowledged, journals, logs. Paths are absolute.
 * Files that need not survive a power cut are written elsewhere: see `private-file.ts`.
 */
export interface Files {
  /**
   * Opens an existing file for reading and writing. The caller closes it.
   *
   * @returns undefined if there is no such file
   * @throws StarlingError HOME_UNUSABLE if it cannot be opened or is not trusted; DISK_FAILED
   */
  open(path: string): Promise<DurableFile | undefined>

  /**
   * Creates or replaces a file. Its name leads to the whole old content or to the whole new content at every
   * moment, a power cut included. It is on disk when this resolves. A file that is open stays the old one.
   *
   * @throws StarlingError HOME_UNUSABLE, DISK_FULL, DISK_FAILED; the file is then unchanged
   */
  replace(path: string, bytes: Uint8Array): Promise<void>

  /**
   * Removes a file. It is gone from the disk when this resolves.
   *
   * @returns whether there was one
   * @throws StarlingError HOME_UNUSABLE, DISK_FAILED
   */
  remove(path: string): Promise<boolean>
}

/** Files of the operating system, for their owner alone: see {@link openTrustedFile}. */
export class SystemFiles implements Files {
  async open(path: string): Promise<DurableFile | undefined> {
    try {
      return new SystemFile(path, await openTrustedFile(path, 'update'))
    } catch (cause) {
      if (isSystemError(cause, 'ENOENT')) return undefined
      throw unusablePath(path, 'cannot be opened', cause)
    }
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    try {
      await replaceFile(path, bytes, { syncsFolder: true })
    } catch (cause) {
      throw unusablePath(path, 'cannot be created', cause)
    }
  }

  async remove(path: string): Promise<boolean> {
    try {
      await unlink(path)
      await syncFolder(dirname(path))
      return true
    } catch (cause) {
      if (isSystemError(cause, 'ENOENT')) return false
      throw unusablePath(path, 'cannot be removed', cause)
    }
  }
}

class SystemFile implements DurableFile {
  readonly #path: string
  readonly #handle: FileHandle

  constructor(path: string, handle: FileHandle) {
    this.#path = path
    this.#handle = handle
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return await this.#try('read', async () => {
      const bytes = Buffer.alloc(length)
      let done = 0
      while (done < length) {
        const { bytesRead } = await this.#handle.read(bytes, done, length - done, offset + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return bytes.subarray(0, done)
    })
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#try('written', async () => {
      for (let done = 0; done < bytes.byteLength; ) {
        const rest = bytes.byteLength - done
        const { bytesWritten } = await this.#handle.write(bytes, done, rest, offset + done)
        done += bytesWritten
      }
    })
  }

  async sync(): Promise<void> {
    // Includes the length of the file, but not its times (POSIX fdatasync).
    await this.#try('written', () => this.#handle.datasync())
  }

  async truncate(length: number): Promise<void> {
    await this.#try('written', () => this.#handle.truncate(length))
  }

  async length(): Promise<number> {
    return await this.#try('read', async () => (await this.#handle.stat()).size)
  }

  async close(): Promise<void> {
    await this.#try('closed', () => this.#handle.close())
  }

  async #try<T>(verb: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (cause) {
      throw unusablePath(this.#path, `cannot be ${verb}`, cause)
    }
  }
}
