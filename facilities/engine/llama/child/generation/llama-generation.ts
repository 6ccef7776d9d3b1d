import { AnswerText } from '../../../../../helpers/chat/answer-text.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { isLimitReached } from '../../../../../helpers/generation/answer-limit.js'
import type { PrefillPace } from '../../../../../helpers/generation/prefill-pace.js'
import type { RepetitionWatch } from '../../../../../helpers/generation/repetition-watch.js'
import type { EffectiveOptions } from '../../../../../helpers/generation/sampling-defaults.js'
import type { GenerationEnd, Token } from '../../../../../helpers/protocol/generation.js'
import type { Clock } from '../../../../clock/clock.js'
import type { LlamaTokenizer, ThoughtState } from '../model/llama-tokenizer.js'
import type { LlamaSequence } from './llama-sequence.js'
import type { TokenSampler } from './token-sampler.js'

/** Chunk size of models whose numbers depend on it. */
const FIXED_CHUNK_TOKENS = 32

/** What an answer is generated with. */
export interface GenerationParts {
  readonly tokenizer: LlamaTokenizer
  readonly sampler: TokenSampler
  /** Chooses the tokens of a thought, if its rules differ from those of the answer after it. */
  readonly thoughtSampler: TokenSampler | null
  readonly pace: PrefillPace
  readonly clock: Clock
  /** Whether tokens may be evaluated in chunks of any size below 64 without changing the numbers. */
  readonly anyChunk: boolean
  /** Prompt and answer together. */
  readonly contextTokens: number
  /** Detects an answer that only repeats itself, to end it; null: it may repeat itself. */
  readonly repetition: RepetitionWatch<number> | null
  /** Whether no other answer is in progress. */
  readonly isAlone: () => boolean
  /** Throws if the answer was cancelled or the engine was closed. */
  readonly throwIfEnded: () => void
}

/** The request. */
export interface GenerationTask {
  readonly prompt: readonly number[]
  readonly thought: ThoughtState
  readonly options: EffectiveOptions
  /** The tokens of the answer that were delivered before. */
  readonly delivered: readonly number[]
}

/** One answer, computed in one sequence. */
export class LlamaGeneration {
  readonly #parts: GenerationParts
  readonly #task: GenerationTask
  readonly #text: AnswerText
  readonly #repetition: RepetitionWatch<number> | null
  /** The tokens for which the context has room. */
  readonly #roomTokens: number
  /** The number of delivered tokens that belong to the thought. */
  #deliveredThought = 0

  constructor(parts: GenerationParts, task: GenerationTask) {
    const { tokenizer, contextTokens } = parts
    const { prompt, options, delivered } = task
    this.#parts = parts
    this.#task = task
    this.#repetition = parts.repetition
    this.#roomTokens = contextTokens - prompt.length
    const isJson = options.jsonSchema !== undefined
    const asksForTools = !isJson && options.tools !== undefined && options.tools.length > 0
    this.#text = new AnswerText({
      decode: (tokens) => tokenizer.text(tokens),
      preceding: prompt,
      stop: options.stop,
      thoughts:
        task.thought !== 'none' && tokenizer.thoughtSyntax !== null
          ? {
              syntax: tokenizer.thoughtSyntax,
              marks: tokenizer.thoughtMarks,
              isOpen: task.thought === 'open',
            }
          : null,
      isJson,
      tools:
        asksForTools && tokenizer.toolSyntax !== null
          ? {
              syntax: tokenizer.toolSyntax,
              marks: tokenizer.toolMarks,
              salt: `${options.seed}:${prompt.length}`,
            }
          : null,
      delivered: delivered.length,
    })
  }

  /**
   * Computes the answer. Each token is computed on request, at most one ahead.
   *
   * @throws StarlingError INVALID_REQUEST if the delivered tokens cannot be the beginning of this
   *   answer; what `throwIfEnded` throws
   */
  async *run(sequence: LlamaSequence): AsyncGenerator<Token, GenerationEnd, void> {
    const { tokenizer, clock, throwIfEnded } = this.#parts
    const { prompt, delivered } = this.#task
    const startedAtMs = clock.monotonic()
    this.#readDelivered()
    const known = await sequence.align([...prompt, ...delivered].slice(0, this.#mostKnown()))
    let count = delivered.length
    let promptEndedAtMs: number | null = null
    let hasStopped = this.#text.isEnded
    let computing: ReturnType<TokenSampler['next']> | null = null
    try {
      if (!hasStopped && this.#mayGoOn()) {
        const input = await this.#prefill(sequence, known)
        computing = withoutUnhandledRejection(this.#next(sequence, input, count))
      }
      while (computing !== null) {
        const chosen = await computing
        computing = null
        promptEndedAtMs ??= clock.monotonic()
        throwIfEnded()
        if (tokenizer.endsAnswer(chosen.tokenId)) {
          hasStopped = true
          break
        }
        this.#sampler.penalize(chosen.tokenId)
        this.#repetition?.push(chosen.tokenId)
        const ready = this.#text.push(chosen)
        hasStopped = this.#text.isEnded
        // The next token is computed while this one is on its way to the reader.
        if (!hasStopped && this.#mayGoOn()) {
          computing = withoutUnhandledRejection(
            this.#next(sequence, [chosen.tokenId], this.#text.count),
          )
        }
        for (const token of ready) {
          yield token
          count = token.index + 1
          throwIfEnded()
        }
      }
    } finally {
      // If the reader stops early, the sequence is in use until this has finished. Its result is then
      // ignored; otherwise it was awaited above.
      await Promise.allSettled([computing])
      await this.#parts.thoughtSampler?.end()
      await this.#parts.sampler.end()
    }
    for (const token of this.#text.end()) {
      yield token
      count = token.index + 1
    }
    const endedAtMs = clock.monotonic()
    return {
      ...this.#outcome(hasStopped),
      promptTokens: prompt.length,
      cachedTokens: Math.min(known, prompt.length),
      completionTokens: count,
      ...(this.#text.thoughtCount > 0 && { thoughtTokens: this.#text.thoughtCount }),
      timings: {
        promptMs: (promptEndedAtMs ?? endedAtMs) - startedAtMs,
        generationMs: endedAtMs - (promptEndedAtMs ?? endedAtMs),
      },
    }
  }

  #outcome(hasStopped: boolean): Pick<GenerationEnd, 'finishReason' | 'stopReason' | 'toolCalls'> {
    const toolCalls = [...this.#text.toolCalls]
    const hasCalls = toolCalls.length > 0
    const isRepeating = !hasStopped && this.#repetition?.isRepeating
    return {
      finishReason: hasStopped ? (hasCalls ? 'tool_calls' : 'stop') : 'length',
      ...(isRepeating && { stopReason: 'repetition' as const }),
      ...(hasCalls && { toolCalls }),
    }
  }

  /** The sampler of the next token. */
  get #sampler(): TokenSampler {
    const { sampler, thoughtSampler } = this.#parts
    return this.#text.isThinking ? (thoughtSampler ?? sampler) : sampler
  }

  /** Evaluates tokens and chooses the next one. */
  async #next(
    sequence: LlamaSequence,
    tokens: readonly number[],
    index: number,
  ): ReturnType<TokenSampler['next']> {
    // An evaluation may still be running.
    if (!this.#text.isThinking) await this.#parts.thoughtSampler?.end()
    return await this.#sampler.next(sequence, tokens, index)
  }

  #mayGoOn(): boolean {
    const { count, thoughtCount } = this.#text
    const { maxTokens } = this.#task.options
    if (this.#repetition?.isRepeating) return false
    return count < this.#roomTokens && !isLimitReached(maxTokens, count, thoughtCount)
  }

  /** Restores the state of the text and of the repetition watch when the answer was interrupted. */
  #readDelivered(): void {
    for (const tokenId of this.#task.delivered) {
      if (this.#text.isEnded) {
        throw new StarlingError(
          'INVALID_REQUEST',
          'resumeFrom continues after the end of its answer',
        )
      }
      this.#sampler.penalize(tokenId)
      this.#repetition?.push(tokenId)
      if (this.#text.isThinking) this.#deliveredThought += 1
      this.#text.push({ tokenId })
    }
  }

  /** The delivered tokens that were chosen without the grammar. */
  #read(): readonly number[] {
    const { delivered, options } = this.#task
    return options.jsonSchema === undefined ? delivered : delivered.slice(0, this.#deliveredThought)
  }

  /** How many of the first tokens need not be evaluated if they are cached. */
  #mostKnown(): number {
    return this.#task.prompt.length + this.#read().length - 1
  }

  /**
   * Evaluates the tokens that are not cached, except for those that the next choice needs.
   *
   * @returns those
   */
  async #prefill(sequence: LlamaSequence, known: number): Promise<readonly number[]> {
    const { anyChunk, sampler, throwIfEnded } = this.#parts
    const { prompt, delivered } = this.#task
    const read = this.#read()
    let input = anyChunk
      ? await this.#readAll(sequence, [...prompt, ...read], known)
      : await this.#readInFixedChunks(sequence, read)
    for (const tokenId of delivered.slice(read.length)) {
      if (!(await sampler.force(sequence, input, tokenId))) {
        throw new StarlingError('INVALID_REQUEST', 'resumeFrom does not match jsonSchema')
      }
      throwIfEnded()
      input = [tokenId]
    }
    return input
  }

  async #readAll(
    sequence: LlamaSequence,
    tokens: readonly number[],
    known: number,
  ): Promise<readonly number[]> {
    const { pace, clock, isAlone, throwIfEnded } = this.#parts
    let start = known
    for (;;) {
      const length = pace.chunkTokens(isAlone())
      if (tokens.length - start <= length) return tokens.slice(start)
      const startedAtMs = clock.monotonic()
      await sequence.read(tokens.slice(start, start + length))
      pace.measured(length, clock.monotonic() - startedAtMs)
      throwIfEnded()
      start += length
    }
  }

  /** Evaluates everything exactly as in an answer that is never interrupted. */
  async #readInFixedChunks(
    sequence: LlamaSequence,
    answer: readonly number[],
  ): Promise<readonly number[]> {
    let input = await this.#readPromptInFixedChunks(sequence)
    for (const tokenId of answer) {
      await sequence.read(input)
      this.#parts.throwIfEnded()
      input = [tokenId]
    }
    return input
  }

  /** The last token of the prompt is always evaluated alone, as those of the answer are. */
  async #readPromptInFixedChunks(sequence: LlamaSequence): Promise<readonly number[]> {
    const { prompt } = this.#task
    const last = prompt.length - 1
    for (let start = 0; start < last; start += FIXED_CHUNK_TOKENS) {
      await sequence.read(prompt.slice(start, Math.min(start + FIXED_CHUNK_TOKENS, last)))
      this.#parts.throwIfEnded()
    }
    return prompt.slice(last)
  }
}

/** A promise that may be rejected before it is awaited. */
function withoutUnhandledRejection<Result>(promise: Promise<Result>): Promise<Result> {
  promise.catch(() => {
    // The caller that awaits it gets the error.
  })
  return promise
}
