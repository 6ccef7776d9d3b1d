import { join } from 'node:path'
import { isStarlingError, StarlingError } from '../../../../helpers/errors/starling-error.js'
import { toWireError } from '../../../../helpers/errors/wire-error.js'
import { engineFingerprint } from '../../../../helpers/generation/engine-fingerprint.js'
import { SystemRandom } from '../../../clock/random.js'
import { SystemClock } from '../../../clock/system-clock.js'
import { fileStamp, isSameFile } from '../../../models/cache/file-stamp.js'
import { ModelCache, type PreparedModel } from '../../../models/cache/model-cache.js'
import { catalogSampling } from '../../../models/sources/catalog.js'
import {
  type EngineProgress,
  type FromChild,
  type LoadMessage,
  toChildSchema,
} from '../llama-messages.js'
import { StepRecorder } from '../step-record.js'
import { type JudgedModel, judgeModel } from './judged-model.js'
import { LlamaRequests } from './llama-requests.js'
import { LlamaRuntime } from './llama-runtime.js'

/** Progress that is worth telling, as a fraction of its phase. */
const PROGRESS_STEP = 0.05

/** Remembers how models are computed fastest on this machine. */
const TUNING_FILE = 'tuning.json'

/** No requests are handled before the model is loaded. */
const NO_WORK = { done: 0, tokens: 0, choosing: [] }

/** The child's end of the conversation with its LlamaEngine, from the load to the end. */
export class LlamaChildSession {
  readonly #process: NodeJS.Process
  #runtime: LlamaRuntime | null = null
  /** Lets the load go on that waits for the parent. */
  #proceed: (() => void) | null = null
  #lastProgress: EngineProgress | null = null
  #requests: LlamaRequests | null = null
  #maxThreads: number | null = null

  constructor(process: NodeJS.Process) {
    this.#process = process
  }

  /** Answers messages until told to leave, or until the parent is gone. */
  listen(): void {
    // Ctrl-C and a service's stop reach the whole process group; the parent, which may have answers
    // to finish, decides when this one leaves.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      this.#process.on(signal, () => {
        // Having a listener is what keeps the process.
      })
    }
    // A model that is larger than a file may be is to fail to be written, with a reason.
    this.#process.on('SIGXFSZ', () => {
      // As above.
    })
    // Without a parent there is nobody to work for. Not exit(): that would run the native
    // libraries' destructors while their threads still compute.
    const leave = () => this.#process.kill(this.#process.pid, 'SIGKILL')
    this.#process.on('disconnect', leave)
    // It may have gone while this process was still loading its code.
    if (!this.#process.connected) leave()
    this.#process.on('message', (message) => this.#receive(message))
  }

  #receive(raw: unknown): void {
    const message = toChildSchema.parse(raw)
    switch (message.kind) {
      case 'load':
        void this.#load(message)
        return
      case 'proceed':
        this.#proceed?.()
        return
      case 'generate':
        this.#requests?.start(message)
        return
      case 'call':
        this.#requests?.call(message.id, message.call)
        return
      case 'credit':
        this.#requests?.grant(message.id, message.tokens)
        return
      case 'cancel':
        this.#requests?.cancel(message.id)
        return
      case 'threads':
        this.#limitThreads(message.maxThreads)
        return
      case 'ping':
        this.#send({ kind: 'pong', work: this.#requests?.work ?? NO_WORK })
        return
      case 'close':
        void this.#close()
    }
  }

  async #load(message: LoadMessage): Promise<void> {
    this.#maxThreads = message.maxThreads ?? null
    try {
      const { model, judged } = await this.#prepare(message)
      const { name, path, sha256 } = model
      const { memoryBytes, facts } = judged
      const runtime = await LlamaRuntime.load({
        modelPath: path,
        facts,
        slots: message.slots,
        contextTokens: message.contextTokens,
        threads: message.threads,
        gpu: message.gpu,
        gpuLayers: message.gpuLayers,
        maxStallMs: message.maxStallMs,
        tuningPath: join(message.modelsDirectory, TUNING_FILE),
        modelSha256: sha256,
        sampling: catalogSampling(sha256),
        clock: new SystemClock(),
        random: new SystemRandom(),
        onLog: (line) => this.#process.stderr.write(`${line}\n`),
        onProgress: (fraction) => this.#progress({ phase: 'loading', fraction }),
      })
      this.#runtime = runtime
      if (this.#maxThreads !== null) runtime.limitThreads(this.#maxThreads)
      this.#requests = new LlamaRequests(
        runtime,
        (answer) => this.#send(answer),
        new StepRecorder(),
      )
      const { contextTokens, slots, reproducibility, capabilities, fingerprintParts, tokenMs } =
        runtime
      this.#send({
        kind: 'loaded',
        name,
        sha256,
        fingerprint: engineFingerprint(sha256, fingerprintParts),
        reproducibility,
        capabilities: [...capabilities],
        contextTokens,
        slots,
        memoryBytes,
        tokenMs,
      })
    } catch (error) {
      this.#send({ kind: 'load-failed', error: toWireError(asStarlingError(error)) })
    }
  }

  /** Takes effect once the model is loaded: until then, threads are measured without a limit. */
  #limitThreads(maxThreads: number): void {
    this.#maxThreads = maxThreads
    this.#runtime?.limitThreads(maxThreads)
  }

  /**
   * Prepares the model's file if necessary, and checks whether it can be loaded. The header is checked before
   * the file is hashed, because hashing a large file takes minutes.
   */
  async #prepare(message: LoadMessage): Promise<{ model: PreparedModel; judged: JudgedModel }> {
    const { model: reference, modelsDirectory, hubUrl, hubToken } = message
    const cache = new ModelCache({
      directory: modelsDirectory,
      random: new SystemRandom(),
      ...(hubUrl !== undefined && { hubUrl }),
      ...(hubToken !== undefined && { hubToken }),
    })
    const { path, needsPreparing, isKept } = await cache.locate(reference)
    const before = needsPreparing ? null : await this.#admitted(path, message, isKept)
    const model = await cache.prepare(reference, {
      onProgress: (progress) => this.#progress(progress),
    })
    const isSame = before !== null && isSameFile(before.stamp, await fileStamp(model.path))
    const judged = isSame ? before : await this.#admitted(model.path, message, false)
    if (judged === null) throw new Error('a model was neither judged nor refused')
    return { model, judged }
  }

  /**
   * Resolves when the parent has granted the memory that the model needs.
   *
   * @param isKept whether a damaged file will be prepared again, in which case null is returned
   */
  async #admitted(path: string, load: LoadMessage, isKept: boolean): Promise<JudgedModel | null> {
    try {
      const judged = await judgeModel(path, load, (progress) => this.#progress(progress))
      const proceed = new Promise<void>((resolve) => {
        this.#proceed = resolve
      })
      this.#send({ kind: 'prepared', memoryBytes: judged.memoryBytes })
      await proceed
      return judged
    } catch (error) {
      if (isKept && isStarlingError(error, 'MODEL_INVALID')) return null
      throw error
    }
  }

  #progress(progress: EngineProgress): void {
    const before = this.#lastProgress
    const step = progress.phase === before?.phase ? progress.fraction - before.fraction : 1
    if (step < PROGRESS_STEP && progress.fraction < 1 && progress.note === undefined) return
    this.#lastProgress = progress
    this.#send({ kind: 'progress', progress })
  }

  async #close(): Promise<void> {
    await this.#requests?.cancelAll()
    await this.#runtime?.close()
    this.#process.exit(0)
  }

  #send(message: FromChild): void {
    this.#process.send?.(message, undefined, undefined, () => {
      // A failure means that the parent is gone, which 'disconnect' deals with.
    })
  }
}

function asStarlingError(error: unknown): StarlingError {
  if (isStarlingError(error)) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new StarlingError('ENGINE_CRASHED', `The engine could not start: ${reason}`, {
    cause: error,
  })
}
