import { type FileHandle, stat, unlink } from 'node:fs/promises'
// Node has no file lock of its own. This one is a lock of the kernel: it is released when its process ends,
// even if it is killed.
import { tryLock } from 'fs-native-extensions'
import { StarlingError } from '../../helpers/errors/starling-error.js'
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
  /** How long to wait. Default: no limit. */
  readonly timeoutMs?: number
  /** Called once if the lock is held by another holder. */
  readonly onWait?: () => void
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
   * Waits until the lock is free, and takes it.
   *
   * @param path of a file in a folder that exists
   * @throws StarlingError HOME_UNUSABLE if the file is not trusted; OVERLOADED after `timeoutMs`; the error
   *   of the file system; the reason of the signal once it is aborted
   */
  static async take(
    path: string,
    { clock, signal, timeoutMs = Infinity, onWait, isKept = false }: LockOptions,
  ): Promise<FileLock> {
    const startedAt = clock.monotonic()
    let hasWaited = false
    for (;;) {
      signal?.throwIfAborted()
      const attempt = await openNamed(path)
      if (attempt === 'removed') continue
      if (attempt !== null) return new FileLock(path, attempt, isKept)
      if (!hasWaited) onWait?.()
      hasWaited = true
      if (clock.monotonic() - startedAt >= timeoutMs) {
        const why = `Another process has held the lock ${path} for ${timeoutMs / 1000} s`
        throw new StarlingError('OVERLOADED', why, { retryAfterMs: timeoutMs })
      }
      await clock.sleep(POLL_INTERVAL_MS, signal)
    }
  }

  async release(): Promise<void> {
    try {
      // While it is locked: a process that waits for it detects that the path no longer leads to it.
      if (!this.#isKept && (await isNamed(this.#file, this.#path))) await unlink(this.#path)
    } finally {
      await this.#file.close()
    }
  }
}

/**
 * Opens a file, which is created if it is missing, and locks it until it is closed.
 *
 * @returns null if it is locked already
 * @throws StarlingError HOME_UNUSABLE if the file is not trusted; the error of the file system
 */
export async function openLocked(path: string): Promise<FileHandle | null> {
  const file = await openTrustedFile(path, 'create')
  let isLocked = false
  try {
    isLocked = lockFile(file)
    return isLocked ? file : null
  } finally {
    if (!isLocked) await file.close()
  }
}

/** Locks an open file until it is closed. @returns false if it is locked already */
export function lockFile(file: FileHandle): boolean {
  return tryLock(file.fd)
}

/** As {@link openLocked}, unless the file's previous holder removed it between opening and locking it. */
async function openNamed(path: string): Promise<FileHandle | null | 'removed'> {
  const file = await openLocked(path)
  if (file === null) return null
  let isKept = false
  try {
    isKept = await isNamed(file, path)
    return isKept ? file : 'removed'
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
