import {
  type ControlledEvaluateInputItem,
  getLlama,
  type Llama,
  type LlamaContextSequence,
  LlamaLogLevel,
  type LlamaModel,
} from 'node-llama-cpp'
import type { ErrorCode } from '../../helpers/errors/error-codes.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import type { GenerationEnd, GenerationOptions, Token } from '../../helpers/protocol/generation.js'
import { StreamingDetokenizer } from '../../helpers/streaming-detokenizer.js'
import { tokenSeed } from '../../helpers/token-seed.js'
import type { Clock } from '../clock/clock.js'
import { BatchStrategy } from './batch-strategy.js'
import type { GenerateRequest } from './engine.js'
import type { GpuChoice } from './llama-messages.js'
import { LlamaTokenizer } from './llama-tokenizer.js'
import { SlotPool } from './slot-pool.js'

/**
 * Tokens of a prompt that are evaluated at once. Never 64 or more of one sequence: llama.cpp then
 * takes another path through its matrices, rounds differently, and the same seed no longer gives the
 * same answer. Cancelling waits for the chunk that is being evaluated, and so do the answers beside.
 */
export const PREFILL_CHUNK_TOKENS = 32

/** Tokens of the answer, counted from its end, that repetition is measured against. */
const REPETITION_WINDOW_TOKENS = 64

/** Requests that may wait for a slot; the queue proper is in front of the engine. */
const MAX_WAITING = 64

/** How a model is loaded. */
export interface LlamaRuntimeOptions {
  readonly modelPath: string
  /** Answers side by side. */
  readonly slots: number
  /** Prompt and answer together, for each slot; no more than the model was trained for is used. */
  readonly contextTokens: number
  readonly threads: number
  readonly gpu: GpuChoice
  readonly clock: Clock
  /** Called with each line that llama.cpp logs. */
  readonly onLog: (line: string) => void
  /** Called as the model is read into memory, with how far that is from 0 to 1. */
  readonly onProgress: (fraction: number) => void
}

/**
 * A model in memory and its sequences, through node-llama-cpp. To be used in a process of its own:
 * a bad model file or a bug below can end the process.
 */
export class LlamaRuntime {
  /** Prompt and answer together, in tokens. */
  readonly contextTokens: number
  readonly slots: number
  readonly #llama: Llama
  readonly #clock: Clock
  readonly #tokenizer: LlamaTokenizer
  readonly #sequences: SlotPool<LlamaContextSequence>

  private constructor(
    llama: Llama,
    model: LlamaModel,
    sequences: readonly LlamaContextSequence[],
    options: LlamaRuntimeOptions,
  ) {
    this.#llama = llama
    this.#clock = options.clock
    this.slots = options.slots
    this.contextTokens = usableContext(model, options.contextTokens)
    this.#tokenizer = new LlamaTokenizer(model)
    this.#sequences = new SlotPool(sequences, MAX_WAITING)
  }

  /**
   * Loads a model. Never downloads or compiles anything.
   *
   * @throws StarlingError MODEL_INVALID when the file is not a model that llama.cpp can run,
   *   CONFIG_INVALID when there is no memory for the slots and their context
   */
  static async load(options: LlamaRuntimeOptions): Promise<LlamaRuntime> {
    let reason: string | null = null
    const logger = (level: LlamaLogLevel, message: string) => {
      // The first error is the cause; those after it say that loading failed.
      if (level === LlamaLogLevel.error) reason ??= message.trim()
      options.onLog(`${level}: ${message.trim()}`)
    }
    const llama = await orThrow(
      'CONFIG_INVALID',
      `llama.cpp cannot run here with gpu set to ${options.gpu}`,
      () =>
        getLlama({
          gpu: options.gpu,
          build: 'never',
          skipDownload: true,
          progressLogs: false,
          maxThreads: options.threads,
          logLevel: LlamaLogLevel.warn,
          logger,
        }),
    )
    try {
      const { modelPath, onProgress } = options
      const strategy = new BatchStrategy()
      const model = await orThrow('MODEL_INVALID', 'The model file cannot be loaded', () =>
        llama.loadModel({ modelPath, onLoadProgress: onProgress }),
      )
      const context = await orThrow(
        'CONFIG_INVALID',
        `${options.slots} slots of ${options.contextTokens} tokens cannot be set up; ` +
          'fewer slots or contextTokens need less memory',
        () =>
          model.createContext({
            sequences: options.slots,
            contextSize: usableContext(model, options.contextTokens),
            batchSize: options.slots * PREFILL_CHUNK_TOKENS,
            threads: options.threads,
            batching: { itemPrioritizationStrategy: strategy.prioritize },
          }),
      )
      const sequences = Array.from({ length: options.slots }, () => context.getSequence())
      // Also spares the first request the first evaluation, which is several times slower.
      await strategy.choose(sequences, model.tokenize('Once upon a time'))
      if (!strategy.together) {
        options.onLog(
          'info: answers are computed in turns: together, this model rounds differently',
        )
      }
      return new LlamaRuntime(llama, model, sequences, options)
    } catch (error) {
      await llama.dispose()
      // What llama.cpp logged arrives after what it threw, which says only that it failed.
      if (!isStarlingError(error) || reason === null) throw error
      throw new StarlingError(error.code, `${error.message} (${reason})`, { cause: error })
    }
  }

  /**
   * Answers a conversation, each token computed when it is asked for.
   *
   * @throws StarlingError CONTEXT_TOO_LONG, INVALID_REQUEST, OVERLOADED; the signal's reason when it
   *   is aborted
   */
  async *generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    const prompt = this.#tokenizer.prompt(request.messages, this.contextTokens)
    const sequence = await this.#sequences.acquire(signal)
    try {
      return yield* this.#answer(sequence, prompt, request, signal)
    } finally {
      // Whatever happened, whoever comes next finds an empty sequence.
      await sequence.clearHistory()
      this.#sequences.release(sequence)
    }
  }

  /** Frees the model. Generations must have ended. */
  async close(): Promise<void> {
    await this.#llama.dispose()
  }

  async *#answer(
    sequence: LlamaContextSequence,
    prompt: readonly number[],
    { options }: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    const startedAt = this.#clock.monotonic()
    const lastChunk = Math.floor((prompt.length - 1) / PREFILL_CHUNK_TOKENS) * PREFILL_CHUNK_TOKENS
    for (let start = 0; start < lastChunk; start += PREFILL_CHUNK_TOKENS) {
      const chunk = prompt.slice(start, start + PREFILL_CHUNK_TOKENS)
      await sequence.evaluateWithoutGeneratingNewTokens(this.#tokenizer.native(chunk))
      signal.throwIfAborted()
    }

    const mostTokens = Math.min(options.maxTokens, this.contextTokens - prompt.length)
    const detokenizer = new StreamingDetokenizer((tokens) => this.#tokenizer.text(tokens), prompt)
    // The last token so far, kept back while its character is incomplete: should the answer end
    // with it, it has to bring the rest as a replacement character.
    let kept: Token | null = null
    let finishReason: GenerationEnd['finishReason'] = 'length'
    let promptEndedAt = startedAt
    let index = 0
    // Only of the answer itself, so that a resumed answer has the same as one that was never broken.
    let recent: number[] = []
    let computing = handled(this.#next(sequence, prompt.slice(lastChunk), options, 0, recent))
    try {
      for (; index < mostTokens; index++) {
        const tokenId = await computing
        if (index === 0) promptEndedAt = this.#clock.monotonic()
        signal.throwIfAborted()
        if (this.#tokenizer.endsAnswer(tokenId)) {
          finishReason = 'stop'
          break
        }
        recent = [...recent.slice(1 - REPETITION_WINDOW_TOKENS), tokenId]
        // The next token is computed while this one is on its way to the reader.
        if (index + 1 < mostTokens) {
          computing = handled(this.#next(sequence, [tokenId], options, index + 1, recent))
        }
        if (kept !== null) yield kept
        const token = { text: detokenizer.push(tokenId), tokenId, index }
        kept = detokenizer.incomplete ? token : null
        if (kept === null) yield token
        signal.throwIfAborted()
      }
    } finally {
      // Left early, the sequence is in use until this is done. Its outcome is of no interest then;
      // otherwise it was awaited above.
      await Promise.allSettled([computing])
    }
    if (kept !== null) yield { ...kept, text: kept.text + detokenizer.flush() }
    const endedAt = this.#clock.monotonic()
    return {
      finishReason,
      promptTokens: prompt.length,
      completionTokens: index,
      timings: { promptMs: promptEndedAt - startedAt, generationMs: endedAt - promptEndedAt },
    }
  }

  /** Evaluates tokens and samples the one after them, which is the answer's token `index`. */
  async #next(
    sequence: LlamaContextSequence,
    tokens: readonly number[],
    { temperature, topK, topP, repeatPenalty, seed }: GenerationOptions,
    index: number,
    recent: readonly number[],
  ): Promise<number> {
    const input: ControlledEvaluateInputItem[] = this.#tokenizer.native(tokens.slice(0, -1))
    const options = {
      temperature,
      topK,
      topP,
      seed: tokenSeed(seed, index),
      repeatPenalty: { penalty: repeatPenalty, punishTokens: this.#tokenizer.native(recent) },
    }
    for (const last of this.#tokenizer.native(tokens.slice(-1))) {
      input.push([last, { generateNext: { token: true, options } }])
    }
    const output = await sequence.controlledEvaluate(input)
    const token = output.at(-1)?.next.token
    if (token === undefined || token === null) throw new Error('no token was sampled')
    return token
  }
}

function usableContext(model: LlamaModel, contextTokens: number): number {
  return Math.min(contextTokens, model.trainContextSize)
}

/** A promise that may fail before anybody awaits it. */
function handled<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {
    // Whoever awaits it gets the failure.
  })
  return promise
}

async function orThrow<Result>(
  code: ErrorCode,
  message: string,
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new StarlingError(code, `${message}: ${why}`, { cause })
  }
}
