import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import type { PrepareOptions } from '../model-progress.js'
import { hashFile } from './file-hash.js'
import { fileStamp, isSameFile } from './file-stamp.js'
import type { FileStamp, ModelManifest } from './model-records.js'

/**
 * Smaller files are hashed at every load: it takes a moment (27 MB: 60 ms), and finds even a bit
 * that the disk lost without anybody writing. Of a larger one (40 GB: a minute) what was found is
 * believed until its size, its time of change or its inode is another, and for
 * {@link RECHECKED_AFTER_MS} at most.
 */
export const ALWAYS_HASHED_BYTES = 268_435_456

/** How long a lost bit in a large file may go unnoticed. */
export const RECHECKED_AFTER_MS = 2_592_000_000

/** What a file should be. */
export interface FileExpectation {
  readonly path: string
  /** What was found out about it before. */
  readonly manifest: ModelManifest | undefined
  readonly sizeBytes?: number | undefined
  readonly sha256?: string | undefined
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** Default: {@link ALWAYS_HASHED_BYTES}. */
  readonly alwaysHashedBytes?: number
}

/** What a file is. */
export type FileCheck =
  | { readonly state: 'absent'; readonly stamp: undefined }
  /** Not what it should be. `why` begins with a verb. */
  | { readonly state: 'damaged'; readonly stamp: FileStamp; readonly why: string }
  | {
      readonly state: 'whole'
      readonly stamp: FileStamp
      readonly sha256: string
      /** Undefined when it was not hashed now: the manifest was believed. */
      readonly hashedAt: number | undefined
    }

/**
 * Looks whether a file is there and what it should be; progress is of the phase `verifying`.
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
    if (!isGguf) return damaged(stamp, 'is no GGUF file')
    // One that was changed while it was read is hashed again the next time.
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
    // A clock that was set back makes it hash once more.
    ageMs >= 0 &&
    ageMs < RECHECKED_AFTER_MS
  )
}
