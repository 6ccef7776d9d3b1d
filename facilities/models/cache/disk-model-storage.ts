import { fsync, lstat, type Stats } from 'node:fs'
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import RandomAccessFile from 'random-access-file'
import type { Random } from '../../clock/random.js'
import { freeBytes } from '../../files/disk-failure.js'
import { makeFolder } from '../../files/make-folder.js'
import { assertTrusted, currentUser } from '../../files/path-trust.js'
import { type FileContent, replaceFile, syncFolder } from '../../files/replace-file.js'
import { isSystemError } from '../../files/system-error.js'
import { type ModelStorage, type StoredEntry, StoredFile } from '../model-storage.js'

const syncDescriptor = promisify(fsync)

/** Model files are not secret. The same mode as that of RandomAccessFile. */
const MODE = 0o666

/** A file that is checked with {@link assertTrusted} before it is opened. */
class TrustedRandomAccessFile extends RandomAccessFile {
  protected override _open(request: RandomAccessFile.OpenRequest): void {
    lstat(this.filename, (error: Error | null, found?: Stats) => {
      try {
        if (found !== undefined) assertTrusted(this.filename, found, 'file', currentUser())
        else if (!isSystemError(error, 'ENOENT')) throw error
      } catch (reason) {
        request.callback(reason)
        return
      }
      super._open(request)
    })
  }
}

/** A folder on disk. */
export class DiskModelStorage implements ModelStorage {
  readonly place: string

  /** @param directory absolute; created by `prepare` */
  constructor(directory: string) {
    this.place = directory
  }

  async prepare(): Promise<void> {
    await makeFolder(this.place)
  }

  open(name: string): StoredFile {
    const file = new TrustedRandomAccessFile(join(this.place, name))
    return new StoredFile(file, async () => {
      // A file that is not open has the descriptor 0, and nothing to sync.
      if (file.fd !== 0) await syncDescriptor(file.fd)
    })
  }

  async list(): Promise<readonly StoredEntry[]> {
    let names: string[]
    try {
      names = await readdir(this.place)
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return []
      throw error
    }
    const entries = await Promise.all(names.map((name) => this.entry(name)))
    return entries.filter((entry) => entry !== undefined)
  }

  async entry(name: string): Promise<StoredEntry | undefined> {
    try {
      const found = await stat(join(this.place, name))
      if (!found.isFile()) return undefined
      return { name, sizeBytes: found.size, modifiedAtMs: found.mtimeMs }
    } catch {
      // Missing, or in a folder that cannot be entered: not usable either way.
      return undefined
    }
  }

  async replace(name: string, content: FileContent, random: Random): Promise<void> {
    await this.prepare()
    await replaceFile(join(this.place, name), content, { random, mode: MODE, syncsFolder: true })
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(join(this.place, from), join(this.place, to))
    await syncFolder(this.place)
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.place, name), { force: true })
  }

  async freeBytes(): Promise<number | undefined> {
    return freeBytes(this.place)
  }
}
