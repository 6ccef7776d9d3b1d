import { dirname } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../../../../clock/clock.js'
import { FileLock } from '../../../../files/file-lock.js'
import { makeFolder } from '../../../../files/make-folder.js'
import { replaceFile } from '../../../../files/replace-file.js'
import { readTrustedFile } from '../../../../files/trusted-file.js'
import type { ModelTuning } from './model-tuning.js'

/** Models that are stored; beyond, the oldest entry is dropped. */
const MAX_TUNED_MODELS = 64

/** A larger file is not a tuning file. */
const MAX_FILE_BYTES = 64 * 1024

const tuningSchema = z.strictObject({
  threads: z.number().int().min(1).max(1024),
  promptChunkTokens: z.number().int().min(1).max(63),
})

/** A measurement takes half a second, or a few seconds for a large model. */
const MEASURE_WAIT_MS = 20_000

/** Raised when the way of measuring changes: earlier results are then invalid. */
const VERSION = 2

const fileSchema = z.strictObject({
  version: z.literal(VERSION),
  entries: z.array(z.tuple([z.string(), tuningSchema])).max(MAX_TUNED_MODELS),
})

/** What a measurement is valid for. */
export interface TuningSubject {
  /** The model: its SHA-256, or the size and time of its file. */
  readonly model: string
  readonly processors: number
  readonly backend: string
  /** The version of the library that computes. */
  readonly version: string
}

/**
 * Stores measurements of models in a JSON file. It is not an error if the file is missing, damaged or
 * cannot be written: the model is then measured again.
 */
export class TuningFile {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** The stored measurement; null if there is none. */
  async find(subject: TuningSubject): Promise<ModelTuning | null> {
    const entries = await this.#read()
    return entries.find(([key]) => key === keyOf(subject))?.[1] ?? null
  }

  /**
   * Runs a measurement while no other process that uses this file runs one, because two at a time
   * would slow each other down. After {@link MEASURE_WAIT_MS} it is run anyway.
   */
  async alone<Result>(clock: Clock, work: () => Promise<Result>): Promise<Result> {
    const lock = await this.#lock(clock)
    try {
      return await work()
    } finally {
      await lock?.release()
    }
  }

  async #lock(clock: Clock): Promise<FileLock | undefined> {
    try {
      await makeFolder(dirname(this.#path))
      return await FileLock.take(`${this.#path}.lock`, { clock, timeoutMs: MEASURE_WAIT_MS })
    } catch {
      // The lock is held for too long, or cannot be created: the measurement is then less exact.
      return undefined
    }
  }

  /** Stores a measurement. @returns whether it could be written */
  async remember(subject: TuningSubject, tuning: ModelTuning): Promise<boolean> {
    const key = keyOf(subject)
    const others = (await this.#read()).filter(([other]) => other !== key)
    const entries = [...others, [key, tuning] as const].slice(-MAX_TUNED_MODELS)
    // If two processes do this at once, the last one wins, and the other measures again.
    try {
      await makeFolder(dirname(this.#path))
      const text = `${JSON.stringify({ version: VERSION, entries }, null, 2)}\n`
      await replaceFile(this.#path, text)
      return true
    } catch {
      // A full or read-only disk: the measurement is repeated at the next start.
      return false
    }
  }

  async #read(): Promise<readonly (readonly [string, ModelTuning])[]> {
    try {
      const bytes = await readTrustedFile(this.#path, { maxBytes: MAX_FILE_BYTES })
      return bytes === undefined ? [] : fileSchema.parse(JSON.parse(bytes.toString())).entries
    } catch {
      // Damaged or not trusted: treated as empty.
      return []
    }
  }
}

function keyOf({ model, processors, backend, version }: TuningSubject): string {
  return [model, `${processors} processors`, backend, version].join(', ')
}
