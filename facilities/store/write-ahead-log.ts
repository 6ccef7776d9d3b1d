import { type FileHandle, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../files/replace-file.js'
import { isSystemError } from '../files/system-error.js'
import { openTrustedFile } from '../files/trusted-file.js'

/** RocksDB's write-ahead logs: `000012.log`. Its own messages are in `LOG`. */
const WRITE_AHEAD_LOG = /^\d+\.log$/

/**
 * Makes what was written to a RocksDB durable by syncing its write-ahead log.
 *
 * RocksDB passes each write to the operating system before it acknowledges it, and replays the log when it is
 * opened again. rocksdb-native has no synchronous write. Its `flush` writes a table instead, which costs two new
 * files, sometimes a compaction, and 7 KB in RocksDB's LOG for each commit. A sync through our own descriptor
 * covers all data of the file (POSIX fdatasync) and avoids these costs.
 */
export class WriteAheadLog {
  readonly #folder: string
  readonly #files = new Map<string, FileHandle>()

  /** @param folder of the RocksDB */
  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Resolves when everything that was written before this call is on disk. One call at a time.
   *
   * @throws the error of the file system
   */
  async sync(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => WRITE_AHEAD_LOG.test(name)).sort()
    const hasNew = await this.#openNew(names)
    await this.#closeGone(names)
    // The oldest first: RocksDB replays no log after a gap.
    for (const name of names) await this.#files.get(name)?.datasync()
    if (hasNew) await syncFolder(this.#folder)
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close()
    this.#files.clear()
  }

  async #openNew(names: readonly string[]): Promise<boolean> {
    let hasNew = false
    for (const name of names) {
      if (this.#files.has(name)) continue
      try {
        this.#files.set(name, await openTrustedFile(join(this.#folder, name), 'read'))
        hasNew = true
      } catch (error) {
        // Removed in the meantime: RocksDB has written its content to a table, and synced that.
        if (!isSystemError(error, 'ENOENT')) throw error
      }
    }
    return hasNew
  }

  async #closeGone(names: readonly string[]): Promise<void> {
    for (const [name, file] of this.#files) {
      if (names.includes(name)) continue
      this.#files.delete(name)
      await file.close()
    }
  }
}
