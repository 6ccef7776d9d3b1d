import { join } from 'node:path'
import { isStarlingError, StarlingError } from '../../../../helpers/errors/starling-error.js'
import { toWireError } from '../../../../helpers/errors/wire-error.js'
import { engineFingerprint } from '../../../../helpers/generation/engine-fingerprint.js'
import { estimateModelMemoryBytes } from '../../../../helpers/models/gguf/model-memory.js'
import { SystemRandom } from '../../../clock/random.js'
import { SystemClock } from '../../../clock/system-clock.js'
import { ModelCache, type PreparedModel } from '../../../models/cache/model-cache.js'
import { GgufInspector, type InspectedModel } from '../../../models/gguf-inspection.js'
import { catalogSampling } from '../../../models/sources/catalog.js'
import {
  type EngineProgress,
  type FromChild,
  type PrepareMessage,
  toChildSchema,
} from '../llama-messages.js'
import { StepRecorder } from '../step-record.js'
import { LlamaRequests } from './llama-requests.js'
import { LlamaRuntime } from './llama-runtime.js'

/** The smallest progress that is reported, as a fraction of its phase. */
const PROGRESS_STEP = 0.05

/** Stores how models are computed fastest on this machine. */
const TUNING_FILE = 'tuning.json'

/** No requests are handled before the model is loaded. */
const NO_WORK = { done: 0, tokens: 0, choosing: [] }

/** A model whose file can be loaded. */
interface PreparedLoad {
  readonly message: PrepareMessage
  /** The estimated memory that the parent reserves. */
  readonly memoryBytes: number
  /** Verifies the file. */
  readonly verified: () => Promise<PreparedModel>
}

/** The child's side of a LlamaProcess: answers its messages until it ends. */
export class LlamaChildSession {
  readonly #process: NodeJS.Process
  #runtime: LlamaRuntime | null = null
  readonly #inspector = new GgufInspector((progress) => this.#progress(progress))
  #prepared: PreparedLoad | null = null
  #lastProgress: EngineProgress | null = null
  #requests: LlamaRequests | null = null
  #maxThreads: number | null = null

  constructor(process: NodeJS.Process) {
    this.#process = process
  }

  /** Answers messages until it is asked to exit, or the parent has ended. */
  listen(): void {
    // Ctrl-C and stopping a service signal the whole process group. The parent decides when this process
    // ends, because it may have answers to finish.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      this.#process.on(signal, () => {
        // A listener keeps the process running.
      })
    }
    // A file that exceeds the size limit of the process then fails with an error instead.
    this.#process.on('SIGXFSZ', () => {
      // As above.
    })
    // Not exit() when the parent has ended: that would run the native
    // libraries' destructors while their threads still compute.
    const leave = () => this.#process.kill(this.#process.pid, 'SIGKILL')
    this.#process.on('disconnect', leave)
    // It may have ended while this process was still loading its code.
    if (!this.#process.connected) leave()
    this.#process.on('message', (message) => this.#receive(message))
  }

  #receive(raw: unknown): void {
    const message = toChildSchema.parse(raw)
    switch (message.kind) {
      case 'prepare':
        void this.#orFail(this.#prepare(message))
        return
      case 'load':
        void this.#orFail(this.#load())
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

  async #orFail(work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      this.#send({ kind: 'load-failed', error: toWireError(asStarlingError(error)) })
    }
  }

  /**
   * Prepares the model's file if necessary, and checks whether it can be loaded. The header of an
   * existing file is checked before the file is hashed, because hashing a large file takes minutes.
   */
  async #prepare(message: PrepareMessage): Promise<void> {
    const { model: reference, modelsDirectory, hubUrl, hubToken } = message
    this.#maxThreads = message.maxThreads ?? null
    const cache = new ModelCache({
      directory: modelsDirectory,
      random: new SystemRandom(),
      inspect: (path) => this.#inspector.inspect(path),
      ...(hubUrl !== undefined && { hubUrl }),
      ...(hubToken !== undefined && { hubToken }),
    })
    const onProgress = (progress: EngineProgress) => this.#progress(progress)
    const { path, needsPreparing, isKept } = await cache.locate(reference)
    const found = needsPreparing ? null : await this.#inspected(path, isKept)
    const model = found === null ? await cache.prepare(reference, { onProgress }) : null
    const inspected = found ?? (await this.#inspector.inspect(model?.path ?? path))
    const memoryBytes = memoryOf(inspected, message)
    const verified = async () => model ?? (await cache.prepare(reference, { onProgress }))
    this.#prepared = { message, memoryBytes, verified }
    this.#send({ kind: 'prepared', memoryBytes })
  }

  /** @param isKept whether a damaged file is prepared again; the result is null then */
  async #inspected(path: string, isKept: boolean): Promise<InspectedModel | null> {
    try {
      return await this.#inspector.inspect(path)
    } catch (error) {
      if (isKept && isStarlingError(error, 'MODEL_INVALID')) return null
      throw error
    }
  }

  async #load(): Promise<void> {
    if (this.#prepared === null) throw new Error('The model was not prepared before it was loaded')
    const { message, verified } = this.#prepared
    const { name, path, sha256 } = await verified()
    // Parsed again only if the file has changed.
    const inspected = await this.#inspector.inspect(path)
    const memoryBytes = memoryOf(inspected, message)
    if (memoryBytes > this.#prepared.memoryBytes) {
      throw new StarlingError(
        'OVERLOADED',
        `The file of ${name} has changed, and needs more memory than was reserved for it`,
      )
    }
    const clock = new SystemClock()
    const runtime = await LlamaRuntime.load({
      modelPath: path,
      facts: inspected.facts,
      slots: message.slots,
      contextTokens: message.contextTokens,
      threads: message.threads,
      gpu: message.gpu,
      gpuLayers: message.gpuLayers,
      maxStallMs: message.maxStallMs,
      tuningPath: join(message.modelsDirectory, TUNING_FILE),
      modelSha256: sha256,
      sampling: catalogSampling(sha256),
      clock,
      random: new SystemRandom(),
      onLog: (line) => this.#process.stderr.write(`${line}\n`),
      onProgress: (fraction) => this.#progress({ phase: 'loading', fraction }),
    })
    this.#runtime = runtime
    if (this.#maxThreads !== null) runtime.limitThreads(this.#maxThreads)
    const send = (answer: FromChild) => this.#send(answer)
    this.#requests = new LlamaRequests(runtime, send, {
      clock,
      steps: new StepRecorder(),
      gatherMs: message.gatherMs,
    })
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
  }

  /** Takes effect once the model is loaded: until then, threads are measured without a limit. */
  #limitThreads(maxThreads: number): void {
    this.#maxThreads = maxThreads
    this.#runtime?.limitThreads(maxThreads)
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
      // A failure means that the parent has ended, which 'disconnect' handles.
    })
  }
}

function memoryOf(
  { facts, sizeBytes }: InspectedModel,
  { slots, contextTokens }: Pick<PrepareMessage, 'slots' | 'contextTokens'>,
): number {
  return estimateModelMemoryBytes(facts, { fileSizeBytes: sizeBytes, slots, contextTokens })
}

function asStarlingError(error: unknown): StarlingError {
  if (isStarlingError(error)) return error
  const reason = error instanceof Error ? error.message : String(error)
  return new StarlingError('ENGINE_CRASHED', `The engine could not start: ${reason}`, {
    cause: error,
  })
}
