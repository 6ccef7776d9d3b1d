import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import { GGUF_MAGIC } from '../../../helpers/models/gguf/gguf-file.js'
import { type FileStamp, fileStamp, isSameFile } from '../../files/file-stamp.js'
import { type PrepareOptions, throwIfCancelled } from '../model-progress.js'
import type { ModelManifest } from '../model-records.js'

/**
 * Smaller files are hashed at every load (27 MB: 60 ms), which finds flipped bits, too. The recorded hash of a
 * larger one (40 GB: a minute) is used until its size, modification time or inode changes, for
 * {@link RECHECKED_AFTER_MS} at most.
 */
export const ALWAYS_HASHED_BYTES = 268_435_456

/** How long a flipped bit in a large file may stay undetected. */
export const RECHECKED_AFTER_MS = 2_592_000_000

/** The size of one read. Progress is reported and cancellation checked after each. */
const CHUNK_BYTES = 4 * 1024 * 1024

/** The expected properties of a file. */
export interface FileExpectation {
  readonly path: string
  /** The metadata recorded before. */
  readonly manifest: ModelManifest | undefined
  readonly sizeBytes?: number | undefined
  readonly sha256?: string | undefined
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** Default: {@link ALWAYS_HASHED_BYTES}. */
  readonly alwaysHashedBytes?: number
}

/** The result of a check. */
export type FileCheck =
  | { readonly state: 'absent'; readonly stamp: undefined }
  /** Not as expected. `why` begins with a verb. */
  | { readonly state: 'damaged'; readonly stamp: FileStamp; readonly why: string }
  | {
      readonly state: 'whole'
      readonly stamp: FileStamp
      readonly sha256: string
      /** Undefined if the hash was taken from the manifest. */
      readonly hashedAt: number | undefined
    }

/**
 * Checks whether a file exists and is as expected. Progress is of the phase `verifying`.
 *
 * @throws StarlingError CANCELLED
 */
export async function checkFile(
  expected: FileExpectation,
  options: PrepareOptions,
): Promise<FileCheck> {
  const { path, manifest, nowMs } = expected
  const stamp = await fileStamp(path)
  if (stamp === undefined) return { state: 'absent', stamp }
  const { sizeBytes } = stamp
  if (expected.sizeBytes !== undefined && sizeBytes !== expected.sizeBytes) {
    return damaged(stamp, `has ${sizeBytes} bytes instead of ${expected.sizeBytes}`)
  }
  if (manifest !== undefined && isBelieved(manifest, stamp, expected)) {
    return { state: 'whole', stamp, sha256: manifest.sha256, hashedAt: undefined }
  }
  try {
    const { sha256, isGguf } = await hashFile(path, options)
    if (expected.sha256 !== undefined && sha256 !== expected.sha256) {
      return damaged(stamp, 'does not have the right SHA-256')
    }
    if (!isGguf) return damaged(stamp, 'is not a GGUF file')
    // A file that changed while it was read is hashed again next time.
    const isSteady = isSameFile(stamp, await fileStamp(path))
    return { state: 'whole', stamp, sha256, hashedAt: isSteady ? nowMs : 0 }
  } catch (error) {
    if (isStarlingError(error)) throw error
    const reason = error instanceof Error ? error.message : String(error)
    return damaged(stamp, `cannot be read (${reason})`)
  }
}

function damaged(stamp: FileStamp, why: string): FileCheck {
  return { state: 'damaged', stamp, why }
}

function isBelieved(manifest: ModelManifest, stamp: FileStamp, expected: FileExpectation): boolean {
  const ageMs = expected.nowMs - manifest.verifiedAt
  return (
    stamp.sizeBytes >= (expected.alwaysHashedBytes ?? ALWAYS_HASHED_BYTES) &&
    isSameFile(manifest.file, stamp) &&
    (expected.sha256 === undefined || expected.sha256 === manifest.sha256) &&
    // If the clock was set back, the file is hashed again.
    ageMs >= 0 &&
    ageMs < RECHECKED_AFTER_MS
  )
}

/** What is read from the content of a file. */
interface FileHash {
  /** Hexadecimal. */
  readonly sha256: string
  /** Whether it begins with the magic number of GGUF. */
  readonly isGguf: boolean
}

/**
 * Hashes a file. Progress is of the phase `verifying`.
 *
 * @throws the error of the file system when it cannot be read
 * @throws StarlingError CANCELLED
 */
async function hashFile(path: string, options: PrepareOptions): Promise<FileHash> {
  // Opening a FIFO would block otherwise.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    return await hashOpenFile(file, options)
  } finally {
    await file.close()
  }
}

async function hashOpenFile(file: FileHandle, options: PrepareOptions): Promise<FileHash> {
  const { size } = await file.stat()
  const hash = createHash('sha256')
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(size, 1)))
  let sizeBytes = 0
  let isGguf = false
  for (;;) {
    throwIfCancelled(options.signal)
    const { bytesRead } = await file.read(chunk, 0, chunk.length, sizeBytes)
    if (bytesRead === 0) break
    const piece = chunk.subarray(0, bytesRead)
    if (sizeBytes === 0) isGguf = piece.toString('latin1', 0, GGUF_MAGIC.length) === GGUF_MAGIC
    hash.update(piece)
    sizeBytes += bytesRead
    options.onProgress?.({ phase: 'verifying', fraction: Math.min(sizeBytes / size, 1) })
  }
  return { sha256: hash.digest('hex'), isGguf }
}
