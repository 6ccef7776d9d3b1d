import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type Stats } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { assertTrusted, currentUser } from './path-trust.js'
import { isSystemError } from './system-error.js'

/** Added to every open: fails at a symbolic link and does not block at a FIFO. */
const SAFE_FLAGS = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY

/** How {@link openTrustedFile} opens a file. */
export const FILE_ACCESS = {
  read: constants.O_RDONLY,
  /** Reads and writes an existing file. */
  update: constants.O_RDWR,
  /** Reads and writes a file that is created if it is missing. */
  create: constants.O_RDWR | constants.O_CREAT,
  /** Appends to a file that is created if it is missing. */
  append: constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT,
} as const

/** Readable and writable by its owner alone. */
const OWNER_ONLY = 0o600

/** What is required of a file. */
export interface FileTrust {
  /** Whether it must be accessible to its owner alone. Default: false. */
  readonly isSecret?: boolean
  /** The user that runs this process. Default: the effective user. */
  readonly user?: number | undefined
}

/** What is required of a file that is read whole. */
export interface ReadLimit extends FileTrust {
  /** A longer file is refused. */
  readonly maxBytes: number
}

/**
 * Opens a file of a home and checks it with {@link assertTrusted}. The open file is checked, so it cannot
 * be replaced between the check and its use.
 *
 * @throws StarlingError HOME_UNUSABLE if it is not trusted; the error of the file system
 */
export async function openTrustedFile(
  path: string,
  access: keyof typeof FILE_ACCESS,
  trust: FileTrust = {},
): Promise<FileHandle> {
  let file: FileHandle
  try {
    file = await open(path, FILE_ACCESS[access] | SAFE_FLAGS, OWNER_ONLY)
  } catch (error) {
    // The reason may be that it is a link, a FIFO or a file of another user.
    const found = await lstat(path).catch(() => undefined)
    if (found !== undefined) assertTrustedFile(path, found, trust)
    throw error
  }
  try {
    assertTrustedFile(path, await file.stat(), trust)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/**
 * The content of a file of a home, checked as by {@link openTrustedFile}; undefined if there is no file.
 *
 * @throws StarlingError HOME_UNUSABLE if it is not trusted or too long; the error of the file system
 */
export async function readTrustedFile(
  path: string,
  { maxBytes, ...trust }: ReadLimit,
): Promise<Buffer | undefined> {
  let file: FileHandle
  try {
    file = await openTrustedFile(path, 'read', trust)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined
    throw error
  }
  try {
    assertLength(path, (await file.stat()).size, maxBytes)
    return await file.readFile()
  } finally {
    await file.close()
  }
}

/** As {@link readTrustedFile}, synchronously. */
export function readTrustedFileSync(
  path: string,
  { maxBytes, ...trust }: ReadLimit,
): Buffer | undefined {
  let descriptor: number
  try {
    descriptor = openSync(path, FILE_ACCESS.read | SAFE_FLAGS)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found !== undefined) assertTrustedFile(path, found, trust)
    throw error
  }
  try {
    const found = fstatSync(descriptor)
    assertTrustedFile(path, found, trust)
    assertLength(path, found.size, maxBytes)
    return readWhole(descriptor, found.size)
  } finally {
    closeSync(descriptor)
  }
}

function readWhole(descriptor: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  let length = 0
  while (length < sizeBytes) {
    const read = readSync(descriptor, bytes, length, sizeBytes - length, length)
    if (read === 0) break
    length += read
  }
  return bytes.subarray(0, length)
}

function assertTrustedFile(path: string, found: Stats, { isSecret, user }: FileTrust): void {
  assertTrusted(path, found, isSecret ? 'secret' : 'file', user ?? currentUser())
}

function assertLength(path: string, sizeBytes: number, maxBytes: number): void {
  if (sizeBytes <= maxBytes) return
  throw new StarlingError(
    'HOME_UNUSABLE',
    `${path} has ${sizeBytes} bytes, more than the limit of ${maxBytes}; remove it`,
  )
}
