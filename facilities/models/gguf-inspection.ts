import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { parseGgufHeader } from '../../helpers/gguf/gguf-header.js'
import { type GgufModelFacts, ggufModelFacts } from '../../helpers/gguf/gguf-model-facts.js'

/** Read first: enough for the header of a small model, and for a file that is none. */
const FIRST_READ_BYTES = 1024 * 1024

/** A model file that llama.cpp should load. */
export interface InspectedModel {
  readonly facts: GgufModelFacts
  readonly sizeBytes: number
}

/**
 * Reads the header of a GGUF file, and no more of it, and checks it: see {@link parseGgufHeader} and
 * {@link ggufModelFacts}. A header of 20 MB takes some 0.2 s, half of which blocks the process.
 *
 * @throws StarlingError MODEL_INVALID, beginning with the path as it was given: no GGUF, cut off,
 *   damaged, not what llama.cpp needs, or not to be read; MODEL_UNSUPPORTED
 */
export async function inspectGguf(path: string): Promise<InspectedModel> {
  try {
    // Opening a FIFO would block otherwise.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      return await inspectOpenFile(file)
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (isStarlingError(cause)) {
      throw new StarlingError(cause.code, `${path}: ${cause.message}`, { cause })
    }
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new StarlingError('MODEL_INVALID', `${path} cannot be read: ${reason}`, { cause })
  }
}

async function inspectOpenFile(file: FileHandle): Promise<InspectedModel> {
  const found = await file.stat()
  if (!found.isFile()) throw new Error('it is no file')
  const sizeBytes = found.size
  let bytes: Buffer = Buffer.alloc(0)
  let needsBytes = FIRST_READ_BYTES
  for (;;) {
    // At least twice as many each time: what is read again stays in proportion to the header.
    const wanted = Math.min(Math.max(needsBytes, bytes.length * 2), sizeBytes)
    bytes = await readOn(file, bytes, wanted)
    // A file that became shorter meanwhile is cut off.
    const result = parseGgufHeader(bytes, bytes.length < wanted ? bytes.length : sizeBytes)
    if (result.header !== undefined) return { facts: ggufModelFacts(result.header), sizeBytes }
    needsBytes = result.needsBytes
  }
}

/** The beginning of the file up to `wanted` bytes, or its end, with those that were read before. */
async function readOn(file: FileHandle, before: Buffer, wanted: number): Promise<Buffer> {
  const bytes = Buffer.alloc(wanted)
  before.copy(bytes)
  let length = before.length
  while (length < wanted) {
    const { bytesRead } = await file.read(bytes, length, wanted - length, length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return bytes.subarray(0, length)
}
