import type { Llama, LlamaModel } from 'node-llama-cpp'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { mostTokens } from '../../../../../helpers/generation/answer-limit.js'
import type { PrefillPace } from '../../../../../helpers/generation/prefill-pace.js'
import { watchFor } from '../../../../../helpers/generation/repetition-watch.js'
import type { EffectiveOptions } from '../../../../../helpers/generation/sampling-defaults.js'
import type {
  GenerationEnd,
  Reproducibility,
  Token,
} from '../../../../../helpers/protocol/generation.js'
import type { Clock } from '../../../../clock/clock.js'
import type { GenerateRequest } from '../../../engine.js'
import { type BlockingStep, type RequestWatch, UNWATCHED } from '../../request-watch.js'
import { BatchStrategy } from '../model/batch-strategy.js'
import { createContext } from '../model/llama-loading.js'
import type { LlamaTokenizer } from '../model/llama-tokenizer.js'
import type { NativeWork } from '../model/native-work.js'
import { GrammarCache } from './grammar-cache.js'
import { LlamaGeneration } from './llama-generation.js'
import { LlamaSequence } from './llama-sequence.js'
import { probeReproducibility, type ReproducibilityReport } from './reproducibility-probe.js'
import { SequencePool } from './sequence-pool.js'
import { TokenSampler } from './token-sampler.js'

/** Requests that may wait for a slot; the main queue is in front of the engine. */
const MAX_WAITING = 64

/** The parts of a {@link LlamaChat}. */
export interface LlamaChatParts {
  readonly llama: Llama
  readonly model: LlamaModel
  readonly tokenizer: LlamaTokenizer
  readonly work: NativeWork
  readonly pace: PrefillPace
  readonly clock: Clock
  readonly slots: number
  readonly contextTokens: number
  readonly threads: number
  readonly onLog: (line: string) => void
}

/** A conversation, with every option set. */
export interface ChatRequest extends Omit<GenerateRequest, 'options'> {
  readonly options: EffectiveOptions
}

/** A model that answers: its sequences, each of which computes one answer at a time. */
export class LlamaChat {
  readonly reproducibility: Reproducibility
  /** The time per token, in milliseconds, as measured by the reproducibility probe. */
  readonly tokenMs: number
  readonly #parts: LlamaChatParts
  readonly #anyChunk: boolean
  readonly #grammars: GrammarCache
  readonly #sequences: SequencePool<LlamaSequence>

  private constructor(
    parts: LlamaChatParts,
    { reproducibility, anyChunk }: ReproducibilityReport,
    sequences: readonly LlamaSequence[],
    tokenMs: number,
  ) {
    this.reproducibility = reproducibility
    this.tokenMs = tokenMs
    this.#parts = parts
    this.#anyChunk = anyChunk
    this.#grammars = new GrammarCache(parts.llama)
    this.#sequences = new SequencePool(sequences, MAX_WAITING)
  }

  /**
   * Creates the sequences and tests how reproducible their answers are.
   *
   * @throws StarlingError CONFIG_INVALID, MEMORY_INSUFFICIENT when there is no memory for them
   */
  static async create(parts: LlamaChatParts): Promise<LlamaChat> {
    const strategy = new BatchStrategy()
    const context = await createContext(parts.model, { ...parts, strategy })
    const natives = Array.from({ length: parts.slots }, () => context.getSequence())
    const sequencesThat = (keepHistory: boolean) =>
      natives.map((native) => new LlamaSequence(native, parts.work, keepHistory))
    const startedAtMs = parts.clock.monotonic()
    const doneBefore = parts.work.progress.done
    const report = await probeReproducibility(
      sequencesThat(true),
      strategy,
      parts.tokenizer.tokens('Once upon a time'),
    )
    const tokenMs =
      (parts.clock.monotonic() - startedAtMs) / Math.max(1, parts.work.progress.done - doneBefore)
    const { reproducibility, anyChunk } = report
    if (!strategy.together)
      parts.onLog(
        'info: answers are computed in turns, because computing them together changes them',
      )
    if (!anyChunk)
      parts.onLog(
        'info: prompts are always evaluated anew, because other chunk sizes change the answers',
      )
    parts.onLog(`info: answers are reproducible: ${reproducibility}`)
    // The cached tokens of a sequence were evaluated in other chunks.
    return new LlamaChat(parts, report, sequencesThat(anyChunk), tokenMs)
  }

  /**
   * Answers a conversation. Each token is computed on request.
   *
   * @param watch records its steps
   * @throws StarlingError CONTEXT_TOO_LONG, INVALID_REQUEST, GRAMMAR_INVALID, NOT_SUPPORTED,
   *   OVERLOADED, DRAINING; the signal's reason when it is aborted
   */
  async *generate(
    { messages, options, resumeFrom: delivered = [] }: ChatRequest,
    signal: AbortSignal,
    watch: RequestWatch = UNWATCHED,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    const { tokenizer, model, work, contextTokens } = this.#parts
    const { jsonSchema, tools, thinking, maxTokens } = options
    const step = async <Result>(name: BlockingStep, run: () => Result | Promise<Result>) =>
      await watch.during(name, () => {
        signal.throwIfAborted()
        work.throwIfClosed()
        return run()
      })
    const isJson = jsonSchema !== undefined
    const { tokens: prompt, thought } = await step('prompt', () =>
      tokenizer.prompt({ messages, tools, thinking, isJson, contextTokens }),
    )
    this.#checkDelivered(delivered, mostTokens(maxTokens, thought !== 'none'), prompt.length)
    const grammar =
      jsonSchema === undefined
        ? null
        : await step('grammar', () => this.#grammars.grammarOf(jsonSchema))
    const sampler = new TokenSampler({ model, tokenizer, options, grammar, watch })
    // The thought before a JSON answer is not JSON.
    const thoughtSampler =
      grammar !== null && thought === 'open'
        ? new TokenSampler({ model, tokenizer, options, grammar: null, watch })
        : null
    const generation = new LlamaGeneration(
      {
        ...this.#parts,
        sampler,
        thoughtSampler,
        repetition: watchFor({ messages, options }, (tokens) => tokenizer.text(tokens)),
        anyChunk: this.#anyChunk,
        isAlone: () => this.#sequences.taken <= 1,
        throwIfEnded() {
          signal.throwIfAborted()
          work.throwIfClosed()
        },
      },
      { prompt, thought, options, delivered },
    )
    const sequence = await this.#sequences.acquire([...prompt, ...delivered], signal)
    try {
      if (grammar !== null) await step('grammar', () => sampler.begin())
      return yield* generation.run(sequence)
    } finally {
      await this.#release(sequence)
    }
  }

  /** Rejects waiting and new requests. */
  close(reason: StarlingError): void {
    this.#sequences.close(reason)
  }

  /** Releases a sequence in a known state, also after errors. */
  async #release(sequence: LlamaSequence): Promise<void> {
    try {
      await sequence.settle()
    } catch (error) {
      // It was closed in the meantime and is not used again.
      this.#parts.onLog(`warn: a sequence could not be cleared: ${error}`)
    }
    this.#sequences.release(sequence)
  }

  #checkDelivered(delivered: readonly number[], maxTokens: number, promptTokens: number): void {
    const { tokenizer, contextTokens } = this.#parts
    tokenizer.validate(delivered, 'resumeFrom')
    if (delivered.length > maxTokens) {
      throw new StarlingError(
        'INVALID_REQUEST',
        `resumeFrom has ${delivered.length} tokens, more than maxTokens, ${maxTokens}`,
      )
    }
    if (delivered.some((token) => tokenizer.endsAnswer(token))) {
      throw new StarlingError('INVALID_REQUEST', 'resumeFrom continues after the end of its answer')
    }
    if (promptTokens + delivered.length > contextTokens) {
      throw new StarlingError(
        'CONTEXT_TOO_LONG',
        `The prompt and the delivered tokens have ${promptTokens + delivered.length} tokens; ` +
          `the context has ${contextTokens}`,
      )
    }
  }
}
