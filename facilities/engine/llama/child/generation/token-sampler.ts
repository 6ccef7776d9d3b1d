import {
  type LlamaGrammar,
  LlamaGrammarEvaluationState,
  type LlamaModel,
  type SequenceEvaluateOptions,
  TokenBias,
} from 'node-llama-cpp'
import type { ChosenToken } from '../../../../../helpers/chat/answer-text.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { dryPenalties } from '../../../../../helpers/generation/dry-penalty.js'
import type { EffectiveOptions } from '../../../../../helpers/generation/sampling-defaults.js'
import { tokenSeed } from '../../../../../helpers/generation/token-seed.js'
import type { RequestWatch } from '../../request-watch.js'
import { type LlamaTokenizer, nativeTokens } from '../model/llama-tokenizer.js'
import type { Evaluation, LlamaSequence, NextToken } from './llama-sequence.js'
import { type Logprobs, logprobsOf } from './token-logprobs.js'

/** The last tokens of the answer that count as repeated. */
const REPETITION_WINDOW_TOKENS = 64

/** The bias that bans a token. */
const BAN = -100

/** Below it, only the likeliest token is ever chosen, and divisions by it would overflow. */
const LEAST_TEMPERATURE = 1e-4

/** The parts of a {@link TokenSampler}. */
export interface TokenSamplerParts {
  readonly model: LlamaModel
  readonly tokenizer: LlamaTokenizer
  readonly options: EffectiveOptions
  /** The grammar that the answer must match; null: none. */
  readonly grammar: LlamaGrammar | null
  /** Records when the grammar chooses. */
  readonly watch: RequestWatch
}

/** Options of a choice; those that change from token to token are changed in place. */
type Choice = SequenceEvaluateOptions & { seed: number }

/**
 * Chooses the tokens of one answer. Each choice depends on the tokens before it and on its position
 * alone: it has a seed of its own, and only tokens of the answer count as repeated, not those of the
 * prompt.
 */
export class TokenSampler {
  readonly #options: EffectiveOptions
  readonly #model: LlamaModel
  readonly #tokenizer: LlamaTokenizer
  readonly #grammar: LlamaGrammar | null
  readonly #watch: RequestWatch
  /** The state of the grammar. It takes memory, so it is created when the answer begins. */
  #grammarState: LlamaGrammarEvaluationState | null = null
  /** The answer's last tokens, of which repetitions are penalised. */
  readonly #recent: number[] = []
  /** All of its tokens, if repeated sequences are penalised. */
  readonly #sequence: number[] = []
  readonly #choice: Choice
  readonly #next: NextToken
  /** For an answer without randomness: it needs no seeds, and one sampler serves all of it. */
  #evaluation: Evaluation | null = null

  /** @throws StarlingError INVALID_REQUEST, NOT_SUPPORTED for an unsupported bias */
  constructor({ model, tokenizer, options, grammar, watch }: TokenSamplerParts) {
    this.#options = options
    this.#model = model
    this.#tokenizer = tokenizer
    this.#grammar = grammar
    this.#watch = watch
    const { temperature, topK, topP, minP, repeatPenalty, presencePenalty, frequencyPenalty } =
      options
    const effectiveTemperature = temperature < LEAST_TEMPERATURE ? 0 : temperature
    const penalizes = repeatPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0
    this.#choice = {
      ...{ temperature: effectiveTemperature, topK, topP, minP, seed: 0 },
      ...(penalizes && {
        repeatPenalty: {
          ...{ penalty: repeatPenalty, presencePenalty, frequencyPenalty },
          punishTokens: () => nativeTokens(this.#recent),
        },
      }),
      ...this.#tokenBias(),
      ...(grammar && { grammarEvaluationState: () => this.#chooseByGrammar() }),
    }
    this.#next = { token: true, options: this.#choice }
  }

  /** Called before the first choice, when the answer has its slot. */
  begin(): void {
    const grammar = this.#grammar
    if (grammar !== null) {
      this.#grammarState = new LlamaGrammarEvaluationState({ model: this.#model, grammar })
    }
  }

  /** Counts a token of the answer. */
  penalize(tokenId: number): void {
    this.#sequence.push(tokenId)
    // A grammar requires the same brackets and commas repeatedly.
    if (this.#grammar !== null && !this.#tokenizer.hasLetterOrDigit(tokenId)) return
    this.#recent.push(tokenId)
    if (this.#recent.length > REPETITION_WINDOW_TOKENS) this.#recent.shift()
  }

  /**
   * Evaluates tokens, at least one, and chooses the one after them: the answer's token `index`. Except
   * in the first call, the tokens are the one that was chosen last.
   */
  async next(
    sequence: LlamaSequence,
    tokens: readonly number[],
    index: number,
  ): Promise<ChosenToken> {
    this.#choice.seed = tokenSeed(this.#options.seed, index)
    const tokenId = await this.#choose(sequence, tokens)
    if (this.#options.logprobs === undefined) return { tokenId }
    return { tokenId, ...(await this.#logprobs(sequence, tokens, tokenId, this.#options.logprobs)) }
  }

  /**
   * Evaluates tokens and advances the grammar by a token that was chosen before.
   *
   * @returns false when the grammar does not allow it
   */
  async force(
    sequence: LlamaSequence,
    tokens: readonly number[],
    tokenId: number,
  ): Promise<boolean> {
    if (this.#grammar === null) throw new Error('only a grammar accepts tokens')
    const tokenBias = new TokenBias(this.#model.tokenizer)
    for (const native of nativeTokens([tokenId])) {
      tokenBias.set(native, { logit: Number.POSITIVE_INFINITY })
    }
    const chosen = await this.#chooseOnce(sequence, tokens, {
      temperature: 0,
      tokenBias,
      grammarEvaluationState: () => this.#chooseByGrammar(),
    })
    return chosen === tokenId
  }

  /** Ends an answer. */
  async end(): Promise<void> {
    await this.#evaluation?.end()
  }

  async #choose(sequence: LlamaSequence, tokens: readonly number[]): Promise<number> {
    if (this.#choice.temperature === 0 && this.#options.logprobs === undefined) {
      this.#evaluation ??= sequence.evaluation(tokens, this.#choice)
      return await this.#chosenBy(this.#evaluation)
    }
    if (this.#grammar !== null) return await this.#chooseOnce(sequence, tokens, this.#choice)
    const { token } = await sequence.next(tokens, this.#next)
    if (token === undefined || token === null) throw new Error('no token was chosen')
    return token
  }

  async #chooseOnce(
    sequence: LlamaSequence,
    tokens: readonly number[],
    options: SequenceEvaluateOptions,
  ): Promise<number> {
    const evaluation = sequence.evaluation(tokens, options)
    try {
      return await this.#chosenBy(evaluation)
    } finally {
      await evaluation.end()
    }
  }

  async #chosenBy(evaluation: Evaluation): Promise<number> {
    try {
      return await evaluation.next()
    } finally {
      this.#watch.chosen()
    }
  }

  /** Called by node-llama-cpp when the logits have been computed. */
  #chooseByGrammar(): LlamaGrammarEvaluationState {
    if (this.#grammarState === null) throw new Error('the answer has not begun')
    this.#watch.choosing()
    return this.#grammarState
  }

  /**
   * The original logits of the model. The choice was made from logits that the options had changed, so
   * the last token is evaluated once more.
   */
  async #logprobs(
    sequence: LlamaSequence,
    tokens: readonly number[],
    tokenId: number,
    count: number,
  ): Promise<Logprobs> {
    await sequence.forgetLast()
    const filter = { tokens: nativeTokens([tokenId]), includeTop: Math.max(count, 1) }
    const next = await sequence.next(tokens.slice(-1), {
      logits: { filter },
      totalLogitWeight: true,
      options: { temperature: 0 },
    })
    return logprobsOf(next, tokenId, count, (token) => this.#tokenizer.text([token]))
  }

  /** The changes of the logits of single tokens: the bias of the request, and penalties. */
  #tokenBias(): Pick<SequenceEvaluateOptions, 'tokenBias'> {
    const { logitBias, dryMultiplier, dryBase, dryAllowedLength } = this.#options
    const bias = Object.keys(logitBias).length > 0 ? this.#bias() : new Map<number, number>()
    // A grammar requires many repetitions.
    const penalises = dryMultiplier > 0 && this.#grammar === null
    if (!penalises) {
      return bias.size === 0 ? {} : { tokenBias: this.#nativeBias(bias) }
    }
    const settings = {
      ...{ multiplier: dryMultiplier, base: dryBase, allowedLength: dryAllowedLength },
    }
    const breaks = (token: number) => this.#tokenizer.breaksSequence(token)
    return {
      tokenBias: () => {
        const all = new Map(bias)
        for (const [token, penalty] of dryPenalties(this.#sequence, settings, breaks)) {
          all.set(token, (all.get(token) ?? 0) - penalty)
        }
        return this.#nativeBias(all)
      },
    }
  }

  #nativeBias(bias: ReadonlyMap<number, number>): TokenBias {
    const tokenBias = new TokenBias(this.#model.tokenizer)
    for (const [token, logit] of bias) {
      for (const native of nativeTokens([token])) tokenBias.set(native, { logit })
    }
    return tokenBias
  }

  /** @throws StarlingError INVALID_REQUEST, NOT_SUPPORTED for an unsupported bias */
  #bias(): Map<number, number> {
    const bias = new Map<number, number>()
    const biased = Object.entries(this.#options.logitBias).map(
      ([token, bias]) => [Number(token), bias] as const,
    )
    this.#tokenizer.validate(
      biased.map(([token]) => token),
      'logitBias',
    )
    if (biased.filter(([, wanted]) => wanted === BAN).length >= this.#tokenizer.size) {
      throw new StarlingError('INVALID_REQUEST', 'logitBias bans every token')
    }
    for (const [token, wanted] of biased) {
      if (this.#tokenizer.endsAnswer(token)) {
        throw new StarlingError(
          'NOT_SUPPORTED',
          `logitBias: ${token} ends answers, and llama.cpp gives such tokens no bias`,
        )
      }
      // If the grammar allows nothing else, the token must stay possible.
      const isBan = wanted === BAN && this.#grammar === null
      bias.set(token, isBan ? Number.NEGATIVE_INFINITY : wanted)
    }
    return bias
  }
}
