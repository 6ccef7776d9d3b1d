import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type Stats } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { assertTrusted, currentUser } from './path-trust.js'
import { isSystemError } from './system-error.js'

/** How a file of a home is opened: what is in the way is neither followed nor waited for. */
const WARILY = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY

/** Flags for {@link openTrustedFile}. */
export const FILE_ACCESS = {
  read: constants.O_RDONLY,
  /** Reads and writes a file that is there. */
  update: constants.O_RDWR,
  /** The same, of a file that is made when it is missing. */
  create: constants.O_RDWR | constants.O_CREAT,
  /** Writes at the end of a file, which is made when it is missing. */
  append: constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT,
} as const

/** Readable and writable by its owner alone. */
const OWNER_ONLY = 0o600

/** Whose a file has to be, and who may read it. */
export interface FileTrust {
  /** Whether nobody but its owner may read it. Default: they may. */
  readonly isSecret?: boolean
  /** Who runs this process. Default: whoever does. */
  readonly user?: number | undefined
}

/** How much of a file is read. */
export interface ReadLimit extends FileTrust {
  /** A longer file is refused. */
  readonly maxBytes: number
}

/**
 * Opens a file of a home that can be trusted: see {@link assertTrusted}. It is looked at once it is
 * open, so that it cannot be replaced in between.
 *
 * @throws StarlingError HOME_UNUSABLE when it cannot be trusted; the error of the file system
 */
export async function openTrustedFile(
  path: string,
  access: keyof typeof FILE_ACCESS,
  trust: FileTrust = {},
): Promise<FileHandle> {
  let file: FileHandle
  try {
    file = await open(path, FILE_ACCESS[access] | WARILY, OWNER_ONLY)
  } catch (error) {
    // Why it cannot be opened shows in what lies there.
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
 * The content of a file of a home that can be trusted; undefined when there is none.
 *
 * @throws StarlingError HOME_UNUSABLE when it cannot be trusted or is too long; the error of the file
 *   system
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

/** As {@link readTrustedFile}, at once. */
export function readTrustedFileNow(
  path: string,
  { maxBytes, ...trust }: ReadLimit,
): Buffer | undefined {
  let descriptor: number
  try {
    descriptor = openSync(path, FILE_ACCESS.read | WARILY)
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
    `${path} has ${sizeBytes} bytes, and at most ${maxBytes} are read; remove it`,
  )
}
