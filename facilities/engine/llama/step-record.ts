import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BLOCKING_STEPS, type BlockingStep } from './request-watch.js'

/** The file descriptor in the child: after standard input, output and error, and the IPC channel. */
const STEP_RECORD_FD = 4

/** The number of the request, 48 bits, and of the step, from 1; 0 is none. */
const RECORD_BYTES = 7
const STEP_AT = 6

/** A step of a request during which the process does not answer messages. */
export interface RecordedStep {
  readonly request: number
  readonly step: BlockingStep
}

/**
 * The step that blocks a child process, in an unlinked file that it shares with its parent, because a process
 * that is blocked or has ended sends no messages. Writing takes some microseconds; a message would take a
 * tenth of a millisecond in both processes.
 */
export class StepRecord {
  /** Null if no file could be created: the blocking step is then unknown. */
  readonly fd: number | null

  constructor() {
    this.fd = openNamelessFile()
  }

  /** The step that blocks the child now, or that blocked it when it ended. */
  read(): RecordedStep | null {
    if (this.fd === null) return null
    const bytes = Buffer.alloc(RECORD_BYTES)
    readSync(this.fd, bytes, 0, RECORD_BYTES, 0)
    const step = BLOCKING_STEPS[bytes.readUInt8(STEP_AT) - 1]
    return step === undefined ? null : { request: bytes.readUIntLE(0, STEP_AT), step }
  }

  /** Call it only once. */
  close(): void {
    if (this.fd !== null) closeSync(this.fd)
  }
}

/** The child's end of a {@link StepRecord}. */
export class StepRecorder {
  readonly #fd: number
  readonly #bytes = Buffer.alloc(RECORD_BYTES)
  #isThere = true

  constructor(fd = STEP_RECORD_FD) {
    this.#fd = fd
  }

  /** @param recorded null when the step is done */
  write(recorded: RecordedStep | null): void {
    if (!this.#isThere) return
    this.#bytes.writeUIntLE(recorded?.request ?? 0, 0, STEP_AT)
    const step = recorded === null ? 0 : BLOCKING_STEPS.indexOf(recorded.step) + 1
    this.#bytes.writeUInt8(step, STEP_AT)
    try {
      writeSync(this.#fd, this.#bytes, 0, RECORD_BYTES, 0)
    } catch {
      // The disk is full, or the parent shares no file: the step is not recorded.
      this.#isThere = false
    }
  }
}

function openNamelessFile(): number | null {
  try {
    const folder = mkdtempSync(join(tmpdir(), 'starling-'))
    try {
      return openSync(join(folder, 'step'), 'wx+', 0o600)
    } finally {
      rmSync(folder, { recursive: true })
    }
  } catch {
    // The folder for temporary files is full or cannot be written.
    return null
  }
}
