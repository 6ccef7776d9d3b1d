import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { GGUF_MAGIC } from '../../../helpers/models/gguf/gguf-file.js'
import { type PrepareOptions, throwIfCancelled } from '../model-progress.js'

/** Read at a time: large enough for the disk, small enough to report progress and be cancelled. */
const CHUNK_BYTES = 4 * 1024 * 1024

/** What a file is, as far as its bytes tell. */
export interface FileHash {
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
  /** Whether it begins as a GGUF file does. */
  readonly isGguf: boolean
}

/**
 * Reads a whole file piece by piece and hashes it; progress is of the phase `verifying`.
 *
 * @throws the error of the file system when it cannot be read
 * @throws StarlingError CANCELLED
 */
export async function hashFile(path: string, options: PrepareOptions): Promise<FileHash> {
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
  return { sizeBytes, sha256: hash.digest('hex'), isGguf }
}
