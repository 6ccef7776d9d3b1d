import type { LlamaEmbeddingContext, LlamaModel, Token as NativeToken } from 'node-llama-cpp'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { unitVector } from '../../../../helpers/generation/vectors.js'
import type { Clock } from '../../../clock/clock.js'
import type { RequestWatch } from '../request-watch.js'
import { type LlamaTokenizer, nativeTokens } from './model/llama-tokenizer.js'
import type { NativeWork } from './model/native-work.js'

/** Tokens of the first text, which is used to measure the time of a token. */
const MEASURED_TOKENS = 32

/** Computes the vectors of texts, one after the other. */
export class LlamaEmbedder {
  /** The time per token, in milliseconds. */
  readonly tokenMs: number
  readonly #context: LlamaEmbeddingContext
  readonly #tokenizer: LlamaTokenizer
  readonly #work: NativeWork
  readonly #contextTokens: number

  private constructor(
    context: LlamaEmbeddingContext,
    tokenizer: LlamaTokenizer,
    work: NativeWork,
    contextTokens: number,
    tokenMs: number,
  ) {
    this.tokenMs = tokenMs
    this.#context = context
    this.#tokenizer = tokenizer
    this.#work = work
    this.#contextTokens = contextTokens
  }

  /** @param contextTokens the maximum length of a text */
  static async create(
    model: LlamaModel,
    tokenizer: LlamaTokenizer,
    work: NativeWork,
    {
      contextTokens,
      threads,
      clock,
    }: { readonly contextTokens: number; readonly threads: number; readonly clock: Clock },
  ): Promise<LlamaEmbedder> {
    const context = await model.createEmbeddingContext({
      contextSize: contextTokens,
      // Embedding models evaluate a text as a whole: all of it has to be in one batch.
      batchSize: contextTokens,
      threads,
    })
    const first = Array.from(
      { length: Math.min(MEASURED_TOKENS, contextTokens - 1) },
      (_, index) => index % tokenizer.size,
    )
    const startedAtMs = clock.monotonic()
    await work.run(() => context.getEmbeddingFor(nativeTokens(first)), first.length)
    const tokenMs = (clock.monotonic() - startedAtMs) / first.length
    return new LlamaEmbedder(context, tokenizer, work, contextTokens, tokenMs)
  }

  /**
   * A vector of length 1 for each text.
   *
   * @throws StarlingError INVALID_REQUEST for a text without tokens, PAYLOAD_TOO_LARGE,
   *   CONTEXT_TOO_LONG; the signal's reason when it is aborted
   */
  async embed(
    texts: readonly string[],
    signal: AbortSignal,
    watch: RequestWatch,
  ): Promise<Float32Array[]> {
    // All texts are checked before the first is computed, so that no work is wasted.
    const inputs: NativeToken[][] = []
    for (const [index, text] of texts.entries()) {
      const tokens = await watch.during('tokens', () => {
        signal.throwIfAborted()
        this.#work.throwIfClosed()
        return this.#tokens(text, index)
      })
      inputs.push(tokens)
    }
    const vectors: Float32Array[] = []
    for (const tokens of inputs) {
      signal.throwIfAborted()
      const { vector } = await this.#work.run(
        () => this.#context.getEmbeddingFor(tokens),
        tokens.length,
      )
      vectors.push(unitVector(vector))
    }
    return vectors
  }

  #tokens(text: string, index: number): NativeToken[] {
    const tokens = nativeTokens(this.#tokenizer.tokens(text))
    if (tokens.length === 0) {
      throw new StarlingError('INVALID_REQUEST', `Text ${index + 1} is empty`)
    }
    // Includes the tokens that the model needs before and after a text.
    const count = this.#context.calculateInputLength([...tokens])
    if (count >= this.#contextTokens) {
      throw new StarlingError(
        'CONTEXT_TOO_LONG',
        `Text ${index + 1} has ${count} tokens; at most ${this.#contextTokens - 1} can be embedded`,
      )
    }
    return tokens
  }
}
