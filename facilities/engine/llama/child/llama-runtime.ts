import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { getModuleVersion, type Llama, type LlamaLogLevel, type LlamaModel } from 'node-llama-cpp'
import { isStarlingError, StarlingError } from '../../../../helpers/errors/starling-error.js'
import { MAX_CHUNK_TOKENS, PrefillPace } from '../../../../helpers/generation/prefill-pace.js'
import {
  effectiveOptions,
  type RecommendedSampling,
  USUAL_SAMPLING,
} from '../../../../helpers/generation/sampling-defaults.js'
import type { GgufModelFacts } from '../../../../helpers/models/gguf/gguf-model-facts.js'
import type { ChatMessage, Tool } from '../../../../helpers/protocol/chat-message.js'
import type {
  GenerationEnd,
  Reproducibility,
  Token,
} from '../../../../helpers/protocol/generation.js'
import type { Clock } from '../../../clock/clock.js'
import type { Random } from '../../../clock/random.js'
import { checkRequest, notSupported } from '../../check-request.js'
import type { EngineCapability, GenerateRequest, TemplatedPrompt } from '../../engine.js'
import type { GpuChoice } from '../llama-messages.js'
import { type RequestWatch, UNWATCHED } from '../request-watch.js'
import { LlamaChat } from './generation/llama-chat.js'
import { LlamaEmbedder } from './llama-embedder.js'
import { loadModel, openLlama } from './model/llama-loading.js'
import { LlamaTokenizer } from './model/llama-tokenizer.js'
import { type ModelTuning, measureEmbeddingTuning, measureTuning } from './model/model-tuning.js'
import { NativeWork } from './model/native-work.js'
import { TuningFile } from './model/tuning-file.js'

/** How long answers may pause for a chunk of another prompt, by default. */
const DEFAULT_STALL_MS = 50

/** Logged by llama.cpp for complete models that this version of it does not support. */
const UNKNOWN_TO_LLAMA =
  /un(known|supported) model architecture|unknown (pre-)?tokenizer|cannot be used as main model/

const moduleVersion = await getModuleVersion()

/** How a model is loaded. */
export interface LlamaRuntimeOptions {
  readonly modelPath: string
  /** The properties in the header of the file. */
  readonly facts: GgufModelFacts
  /** SHA-256 of the file, hexadecimal. Left out: the file is identified by its size and time. */
  readonly modelSha256?: string | undefined
  /** Concurrent answers. */
  readonly slots: number
  /** Prompt and answer together, in tokens, for each slot; limited to what the model was trained for. */
  readonly contextTokens: number
  /** `auto`: the fastest number, measured when a model is loaded for the first time. */
  readonly threads: number | 'auto'
  readonly gpu: GpuChoice
  /** Layers of the model that the GPU computes. Default `auto`: as many as fit. */
  readonly gpuLayers?: number | 'auto'
  /** How long answers may pause for a chunk of another prompt. Default 50 ms. */
  readonly maxStallMs?: number
  /** The time limit of the chat template for a conversation. Default 2 s. */
  readonly templateTimeoutMs?: number
  /** The file in which measurements are stored. Default null: none. */
  readonly tuningPath?: string | null
  /** The recommended sampling of the model. Takes precedence over what its file says. */
  readonly sampling?: RecommendedSampling
  readonly clock: Clock
  /** Draws the seeds of requests that have none. */
  readonly random: Random
  /** Called with each line that llama.cpp logs. */
  readonly onLog: (line: string) => void
  /** Called while the model is read into memory, with the progress from 0 to 1. */
  readonly onProgress: (fraction: number) => void
}

/**
 * The capabilities of a model that answers. `tools` and `thinking` are added if its template supports
 * them.
 */
const CHAT_CAPABILITIES: readonly EngineCapability[] = [
  ...(['chat', 'tokens', 'template', 'resume', 'seed'] as const),
  ...(['logit-bias', 'logprobs', 'dry', 'json-schema'] as const),
]

/** The parts of a loaded model. */
interface LoadedParts {
  readonly llama: Llama
  readonly tokenizer: LlamaTokenizer
  readonly work: NativeWork
  readonly chat: LlamaChat | null
  readonly embedder: LlamaEmbedder | null
  readonly tuning: ModelTuning
  readonly sampling: RecommendedSampling
  readonly random: Random
}

/**
 * A model in memory, through node-llama-cpp. Use it in a separate process: a bad model file or a bug in
 * llama.cpp can end the process.
 */
export class LlamaRuntime {
  /** Prompt and answer together, in tokens. */
  readonly contextTokens: number
  readonly slots: number
  /** What the probe found when the model was loaded. */
  readonly reproducibility: Reproducibility
  readonly capabilities: ReadonlySet<EngineCapability>
  /** The threads that compute the model. */
  readonly threads: number
  /** The time per token, in milliseconds, as measured when the model was loaded. */
  readonly tokenMs: number
  /** The most tokens of a prompt that are evaluated at once. */
  readonly promptChunkTokens: number
  /** What the numbers depend on besides the model file. */
  readonly fingerprintParts: {
    readonly build: string
    readonly backend: string
    readonly sampling: string
  }
  readonly #parts: LoadedParts
  #closing: Promise<void> | null = null

  private constructor(parts: LoadedParts, contextTokens: number, slots: number) {
    const { chat, embedder, tokenizer, llama, tuning, sampling } = parts
    this.#parts = parts
    this.contextTokens = contextTokens
    this.slots = slots
    this.reproducibility = chat?.reproducibility ?? 'machine'
    this.capabilities = new Set<EngineCapability>(
      chat === null
        ? ['embed', 'tokens']
        : [
            ...CHAT_CAPABILITIES,
            ...(tokenizer.toolSyntax === null ? [] : ['tools' as const]),
            ...(tokenizer.thoughtSyntax === null ? [] : ['thinking' as const]),
          ],
    )
    this.threads = tuning.threads
    this.tokenMs = chat?.tokenMs ?? embedder?.tokenMs ?? 0
    this.promptChunkTokens = tuning.promptChunkTokens
    this.fingerprintParts = {
      build: buildOf(llama),
      backend: backendOf(llama),
      sampling: JSON.stringify({ ...USUAL_SAMPLING, ...sampling }),
    }
  }

  /**
   * Loads a model. Never downloads or compiles anything.
   *
   * @throws StarlingError MODEL_INVALID when the file is not a model that llama.cpp can run,
   *   MODEL_UNSUPPORTED when it is of a kind that llama.cpp does not know, MEMORY_INSUFFICIENT, CONFIG_INVALID when the slots and their context cannot be set up
   */
  static async load(options: LlamaRuntimeOptions): Promise<LlamaRuntime> {
    let reason: string | null = null
    const logger = (level: LlamaLogLevel, message: string) => {
      // The first error is the cause; those after it say that loading failed.
      if (level === 'error') reason ??= message.trim()
      options.onLog(`${level}: ${message.trim()}`)
    }
    const { gpu, threads, gpuLayers = 'auto' } = options
    const processors = availableParallelism()
    const llama = await openLlama(gpu, threads === 'auto' ? processors : threads, logger)
    try {
      const model = await loadModel(llama, { ...options, gpuLayers })
      return await LlamaRuntime.#setUp(llama, model, options)
    } catch (error) {
      await llama.dispose()
      // The log of llama.cpp arrives after its exception, which only says that it failed.
      if (!isStarlingError(error) || reason === null) throw error
      const isUnknown = error.code === 'MODEL_INVALID' && UNKNOWN_TO_LLAMA.test(reason)
      const code = isUnknown ? 'MODEL_UNSUPPORTED' : error.code
      throw new StarlingError(code, `${error.message} (${reason})`, { cause: error })
    }
  }

  static async #setUp(
    llama: Llama,
    model: LlamaModel,
    options: LlamaRuntimeOptions,
  ): Promise<LlamaRuntime> {
    const contextTokens = Math.min(options.contextTokens, model.trainContextSize)
    const tokenizer = new LlamaTokenizer(model, options.templateTimeoutMs)
    const work = new NativeWork()
    const { facts } = options
    const tuning = await tuningOf(llama, model, options, facts.isEmbedding)
    const sampling = { ...facts.sampling, ...options.sampling }
    const { clock, random, slots, onLog, maxStallMs = DEFAULT_STALL_MS } = options
    const parts = { llama, model, tokenizer, work, contextTokens, sampling, random, ...tuning }
    if (facts.isEmbedding) {
      const embedder = await LlamaEmbedder.create(model, tokenizer, work, { ...parts, clock })
      return new LlamaRuntime({ ...parts, embedder, chat: null, tuning }, contextTokens, slots)
    }
    const pace = new PrefillPace({ maxStallMs, mostTokens: tuning.promptChunkTokens })
    const chat = await LlamaChat.create({ ...parts, pace, clock, slots, onLog })
    return new LlamaRuntime({ ...parts, embedder: null, chat, tuning }, contextTokens, slots)
  }

  /**
   * Limits the threads that the model computes with, from the next evaluation on. The number that was
   * chosen when it was loaded is the maximum.
   */
  limitThreads(threads: number): void {
    // Read by node-llama-cpp before each evaluation.
    this.#parts.llama.maxThreads = threads
  }

  /** The number of finished computations, and of tokens that are being computed. */
  get progress(): { readonly done: number; readonly tokens: number } {
    return this.#parts.work.progress
  }

  /** The tokens of a text. @throws StarlingError INVALID_REQUEST, PAYLOAD_TOO_LARGE above 1 MiB */
  tokenize(text: string): readonly number[] {
    this.#parts.work.throwIfClosed()
    return this.#parts.tokenizer.tokens(text)
  }

  /** The text of tokens. @throws StarlingError INVALID_REQUEST */
  detokenize(tokens: readonly number[]): string {
    this.#parts.work.throwIfClosed()
    this.#parts.tokenizer.validate(tokens, 'tokens')
    return this.#parts.tokenizer.text(tokens)
  }

  /**
   * A conversation as the model was trained to read it.
   *
   * @throws StarlingError CONTEXT_TOO_LONG, INVALID_REQUEST, NOT_SUPPORTED
   */
  applyTemplate(messages: readonly ChatMessage[], tools: readonly Tool[] = []): TemplatedPrompt {
    this.#parts.work.throwIfClosed()
    if (this.#parts.chat === null) throw notSupported('llama.cpp', 'template')
    const { contextTokens } = this
    const { text, tokens } = this.#parts.tokenizer.prompt({ messages, tools, contextTokens })
    return { text, tokens }
  }

  /**
   * Answers a conversation. Each token is computed on request, at most one ahead.
   *
   * @param watch records its steps
   * @throws StarlingError INVALID_REQUEST, CONTEXT_TOO_LONG, GRAMMAR_INVALID, NOT_SUPPORTED, OVERLOADED,
   *   DRAINING once closed; the signal's reason when it is aborted
   */
  async *generate(
    request: GenerateRequest,
    signal: AbortSignal,
    watch: RequestWatch = UNWATCHED,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    this.#parts.work.throwIfClosed()
    const { chat, sampling, random } = this.#parts
    if (chat === null) throw notSupported('llama.cpp', 'chat')
    const { capabilities } = this
    const checked = checkRequest(request, { kind: 'llama.cpp', capabilities })
    const options = effectiveOptions(checked.options, sampling, () => random.below(2 ** 32))
    return yield* chat.generate({ ...checked, options }, signal, watch)
  }

  /**
   * The embedding of each text, a vector of length 1.
   *
   * @throws StarlingError NOT_SUPPORTED, INVALID_REQUEST, PAYLOAD_TOO_LARGE, CONTEXT_TOO_LONG, DRAINING
   *   once closed; the signal's reason when it is aborted
   */
  async embed(
    texts: readonly string[],
    signal: AbortSignal,
    watch: RequestWatch = UNWATCHED,
  ): Promise<Float32Array[]> {
    this.#parts.work.throwIfClosed()
    const { embedder } = this.#parts
    if (embedder === null) throw notSupported('llama.cpp', 'embed')
    return await embedder.embed(texts, signal, watch)
  }

  /** Ends all requests with DRAINING and frees the model. Later calls wait for the first. */
  async close(): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #close(): Promise<void> {
    const { work, chat, llama } = this.#parts
    const reason = new StarlingError('DRAINING', 'The engine is closed')
    chat?.close(reason)
    await work.close(reason)
    await llama.dispose()
  }
}

/** The fastest settings for the model: from the options, from an earlier measurement, or measured now. */
async function tuningOf(
  llama: Llama,
  model: LlamaModel,
  options: LlamaRuntimeOptions,
  isEmbedding: boolean,
): Promise<ModelTuning> {
  const { threads, tuningPath = null, clock, modelPath, modelSha256 } = options
  if (threads !== 'auto') return { threads, promptChunkTokens: MAX_CHUNK_TOKENS }
  const processors = availableParallelism()
  const file = tuningPath === null ? null : new TuningFile(tuningPath)
  const subject = {
    model: modelSha256 ?? (await fileStamp(modelPath)),
    ...{ processors, backend: backendOf(llama), version: buildOf(llama) },
  }
  const remembered = await file?.find(subject)
  if (remembered) return remembered
  const measure = isEmbedding ? measureEmbeddingTuning : measureTuning
  const measured = async () => await measure(model, processors, clock)
  if (file === null) return await measured()
  return await file.alone(clock, async () => {
    // Another process may have measured it in the meantime.
    const found = await file.find(subject)
    if (found !== null) return found
    const tuning = await measured()
    await file.remember(subject, tuning)
    return tuning
  })
}

async function fileStamp(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path)
  return `${size} bytes of ${mtimeMs}`
}

function buildOf(llama: Llama): string {
  const { repo, release } = llama.llamaCppRelease
  return `node-llama-cpp ${moduleVersion}, ${repo} ${release}`
}

/** Includes the instruction sets of the processor: llama.cpp computes differently with others. */
function backendOf(llama: Llama): string {
  return [llama.gpu === false ? 'cpu' : llama.gpu, llama.systemInfo.trim()].join(': ')
}
