import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  isStarlingError,
  StarlingError,
  type StarlingErrorOptions,
} from '../../helpers/errors/starling-error.js'

/** A full disk: the error codes of the operating system, and the messages of RocksDB. */
const FULL = { codes: ['ENOSPC', 'EDQUOT'], text: /no space left|quota exceeded/i }
/** The same for a disk that cannot be written at all. */
const FAILED = { codes: ['EROFS', 'EIO'], text: /read-only file system|input\/output error/i }

/** The depth up to which nested causes are checked. */
const MAX_CAUSES = 8

/**
 * The error to report when writing has failed because of the disk: DISK_FULL, with the path and the free
 * space, or DISK_FAILED when the disk is read-only or broken.
 *
 * @param path what could not be written
 * @param cause the failure; its own causes are checked, too
 * @returns undefined when the disk is not the reason
 */
export function diskFailure(
  path: string,
  cause: unknown,
  options: Pick<StarlingErrorOptions, 'retryAfterMs'> = {},
): StarlingError | undefined {
  if (isDiskFull(cause)) return diskFull(path, cause, options)
  if (!isCausedBy(cause, FAILED)) return undefined
  return new StarlingError(
    'DISK_FAILED',
    `${path} cannot be written: the disk is read-only or failing`,
    { ...options, cause },
  )
}

/** Whether something failed because a disk, or the quota of its user, is full. */
export function isDiskFull(error: unknown): boolean {
  return isCausedBy(error, FULL)
}

/** DISK_FULL, with the free space at the path. */
export function diskFull(
  path: string,
  cause: unknown,
  options: Pick<StarlingErrorOptions, 'retryAfterMs'> = {},
): StarlingError {
  const message = `The disk of ${path} is full${freeAt(path)}`
  return new StarlingError('DISK_FULL', message, { ...options, cause })
}

/**
 * The error to report when a file or a folder of the home cannot be read or written.
 *
 * @returns the cause if it is a StarlingError; DISK_FULL or DISK_FAILED if the disk is the reason;
 *   otherwise HOME_UNUSABLE
 */
export function unusablePath(path: string, what: string, cause: unknown): StarlingError {
  if (isStarlingError(cause)) return cause
  return (
    diskFailure(path, cause) ?? new StarlingError('HOME_UNUSABLE', `${path} ${what}`, { cause })
  )
}

/** The free bytes on the disk of a path, whose last parts need not exist; undefined if unknown. */
export function freeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(path)
    return bavail * bsize
  } catch {
    return dirname(path) === path ? undefined : freeBytes(dirname(path))
  }
}

function freeAt(path: string): string {
  const bytes = freeBytes(path)
  if (bytes === undefined) return ''
  return bytes < 10_000_000
    ? `: ${bytes} bytes are free`
    : `: ${Math.floor(bytes / 1e6)} MB are free`
}

function isCausedBy(error: unknown, { codes, text }: typeof FULL): boolean {
  let below = error
  for (let depth = 0; depth < MAX_CAUSES && below instanceof Error; depth += 1) {
    if ('code' in below && typeof below.code === 'string' && codes.includes(below.code)) return true
    if (text.test(below.message)) return true
    below = below.cause
  }
  return false
}
