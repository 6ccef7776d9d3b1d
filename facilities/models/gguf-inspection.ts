import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { parseGgufHeader } from '../../helpers/models/gguf/gguf-header.js'
import { type GgufModelFacts, ggufModelFacts } from '../../helpers/models/gguf/gguf-model-facts.js'
import type { Clock } from '../clock/clock.js'
import { Deadline } from '../clock/deadline.js'
import { SystemClock } from '../clock/system-clock.js'
import { type FileStamp, fileStamp, isSameFile } from '../files/file-stamp.js'
import type { ModelProgress } from './model-progress.js'

/** The first read: enough for the header of a small model, and to recognise other files. */
const FIRST_READ_BYTES = 1024 * 1024

/** The largest single read. */
const PIECE_BYTES = 4 * 1024 * 1024

/** A disk reads a header of 20 MB in a tenth of a second. */
const INSPECTION_TIMEOUT_MS = 30_000

/** A model file that llama.cpp should load. */
export interface InspectedModel {
  readonly facts: GgufModelFacts
  readonly sizeBytes: number
}

/** How a file is inspected. */
export interface InspectionOptions {
  /** Default: the system clock. */
  readonly clock?: Clock
  /** Of the phase `inspecting`, if the header is longer than the first read. */
  readonly onProgress?: (progress: ModelProgress) => void
}

/**
 * Reads and validates only the header of a GGUF file: see {@link parseGgufHeader} and {@link ggufModelFacts}.
 * A header of 20 MB takes about 0.2 s; half of that blocks the process.
 *
 * @throws StarlingError MODEL_INVALID, beginning with the given path: not GGUF, truncated, damaged, not
 *   loadable by llama.cpp, or not read within 30 s; MODEL_UNSUPPORTED
 */
export async function inspectGguf(
  path: string,
  { clock = new SystemClock(), onProgress }: InspectionOptions = {},
): Promise<InspectedModel> {
  const deadline = new Deadline(clock, INSPECTION_TIMEOUT_MS)
  try {
    const file = await opened(path, deadline)
    try {
      return await inspectOpenFile(new TimedFile(file, deadline, onProgress))
    } finally {
      // If the disk does not respond, closing the file would not end either.
      await deadline.race(file.close())
    }
  } catch (cause) {
    if (isStarlingError(cause, 'DEADLINE_EXCEEDED')) {
      const reason = `its header was not read within ${INSPECTION_TIMEOUT_MS / 1000} s`
      throw new StarlingError('MODEL_INVALID', `${path} cannot be read: ${reason}`, { cause })
    }
    if (isStarlingError(cause)) {
      throw new StarlingError(cause.code, `${path}: ${cause.message}`, { cause })
    }
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new StarlingError('MODEL_INVALID', `${path} cannot be read: ${reason}`, { cause })
  } finally {
    deadline.dispose()
  }
}

/** As {@link inspectGguf}, but does not read the header of an unchanged file again. */
export class GgufInspector {
  readonly #onProgress: InspectionOptions['onProgress']
  #last: {
    readonly path: string
    readonly stamp: FileStamp
    readonly model: InspectedModel
  } | null = null

  constructor(onProgress?: InspectionOptions['onProgress']) {
    this.#onProgress = onProgress
  }

  /** @throws StarlingError as {@link inspectGguf} */
  async inspect(path: string): Promise<InspectedModel> {
    // Before it is read: a file that changes meanwhile is inspected again.
    const stamp = await fileStamp(path)
    if (this.#last?.path === path && isSameFile(this.#last.stamp, stamp)) return this.#last.model
    const onProgress = this.#onProgress
    const model = await inspectGguf(path, onProgress === undefined ? {} : { onProgress })
    this.#last = stamp === undefined ? null : { path, stamp, model }
    return model
  }
}

async function opened(path: string, deadline: Deadline): Promise<FileHandle> {
  // Opening a FIFO would block otherwise.
  const opening = open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    return await deadline.race(opening)
  } catch (error) {
    // It may be opened after the caller has stopped waiting.
    opening
      .then(
        (file) => file.close(),
        () => undefined,
      )
      .catch(() => undefined)
    throw error
  }
}

async function inspectOpenFile(file: TimedFile): Promise<InspectedModel> {
  const sizeBytes = await file.sizeBytes()
  let bytes: Buffer = Buffer.alloc(0)
  let needsBytes = FIRST_READ_BYTES
  for (;;) {
    // At least double each time, so that repeated parsing stays proportional to the header.
    const wanted = Math.min(Math.max(needsBytes, bytes.length * 2), sizeBytes)
    bytes = await file.readOn(bytes, wanted)
    // A file that became shorter meanwhile counts as truncated.
    const result = parseGgufHeader(bytes, bytes.length < wanted ? bytes.length : sizeBytes)
    if (result.header !== undefined) return { facts: ggufModelFacts(result.header), sizeBytes }
    needsBytes = result.needsBytes
  }
}

/** A file whose reads end at a deadline. */
class TimedFile {
  readonly #file: FileHandle
  readonly #deadline: Deadline
  readonly #onProgress: InspectionOptions['onProgress']

  constructor(file: FileHandle, deadline: Deadline, onProgress: InspectionOptions['onProgress']) {
    this.#file = file
    this.#deadline = deadline
    this.#onProgress = onProgress
  }

  async sizeBytes(): Promise<number> {
    const found = await this.#deadline.race(this.#file.stat())
    if (!found.isFile()) throw new Error('it is not a regular file')
    return found.size
  }

  /** The first `wanted` bytes of the file, or all if it is shorter, including those already read. */
  async readOn(before: Buffer, wanted: number): Promise<Buffer> {
    const bytes = Buffer.alloc(wanted)
    before.copy(bytes)
    let length = before.length
    while (length < wanted) {
      const most = Math.min(wanted - length, PIECE_BYTES)
      const { bytesRead } = await this.#deadline.race(this.#file.read(bytes, length, most, length))
      if (bytesRead === 0) break
      length += bytesRead
      if (length > FIRST_READ_BYTES) {
        this.#onProgress?.({ phase: 'inspecting', fraction: length / wanted })
      }
    }
    return bytes.subarray(0, length)
  }
}
