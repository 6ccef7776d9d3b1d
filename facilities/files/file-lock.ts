import { type FileHandle, stat, unlink } from 'node:fs/promises'
// The kernel's lock: it is gone with the process that held it, even when that was killed.
import { tryLock } from 'fs-native-extensions'
import type { Clock } from '../clock/clock.js'
import { isSystemError } from './system-error.js'
import { openTrustedFile } from './trusted-file.js'

/** How soon a lock that became free is noticed. */
const POLL_INTERVAL_MS = 100

/** How a {@link FileLock} is taken. */
export interface LockOptions {
  readonly clock: Clock
  /** Ends the wait, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Called once, when somebody else holds it. */
  readonly onWait: () => void
  /** Whether the file is kept when the lock is released, for frequent use. Default: false. */
  readonly isKept?: boolean
}

/**
 * A lock that processes share by a file's path; within one process it keeps callers apart as well.
 * The file exists only while the lock is held or waited for, unless it is kept.
 */
export class FileLock {
  readonly #path: string
  readonly #file: FileHandle
  readonly #isKept: boolean

  private constructor(path: string, file: FileHandle, isKept: boolean) {
    this.#path = path
    this.#file = file
    this.#isKept = isKept
  }

  /**
   * Waits until nobody else holds it, for as long as that takes.
   *
   * @param path of a file in a folder that is there
   * @throws StarlingError HOME_UNUSABLE if the file is not trusted; the error of the file system; the
   *   reason of the signal once it is aborted
   */
  static async take(path: string, options: LockOptions): Promise<FileLock> {
    let waits = false
    for (;;) {
      options.signal?.throwIfAborted()
      const attempt = await tryTake(path)
      if (attempt === 'replaced') continue
      if (attempt !== 'taken') return new FileLock(path, attempt, options.isKept ?? false)
      if (!waits) options.onWait()
      waits = true
      await options.clock.sleep(POLL_INTERVAL_MS, options.signal)
    }
  }

  async release(): Promise<void> {
    try {
      // While it is still held: whoever waits for this file sees that it is not the one any more.
      if (!this.#isKept && (await isNamed(this.#file, this.#path))) await unlink(this.#path)
    } finally {
      await this.#file.close()
    }
  }
}

/** The locked file; or that another holds it, or that its holder removed it in the meantime. */
async function tryTake(path: string): Promise<FileHandle | 'taken' | 'replaced'> {
  const file = await openTrustedFile(path, 'create')
  let isKept = false
  try {
    if (!tryLock(file.fd)) return 'taken'
    isKept = await isNamed(file, path)
    return isKept ? file : 'replaced'
  } finally {
    if (!isKept) await file.close()
  }
}

/** Whether a path still leads to an open file. */
async function isNamed(file: FileHandle, path: string): Promise<boolean> {
  try {
    return (await file.stat()).ino === (await stat(path)).ino
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false
    throw error
  }
}
