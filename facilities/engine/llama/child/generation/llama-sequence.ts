import type {
  ControlledEvaluateIndexOutput,
  ControlledEvaluateInputItem,
  LlamaContextSequence,
  Token as NativeToken,
  SequenceEvaluateOptions,
} from 'node-llama-cpp'
import { nativeTokens } from '../model/llama-tokenizer.js'
import type { NativeWork } from '../model/native-work.js'

/** How the token after a position is chosen, and what is reported about it. */
export type NextToken = Exclude<
  Exclude<ControlledEvaluateInputItem, NativeToken>[1]['generateNext'],
  undefined
>

/** Tokens that are chosen one after the other. */
export interface Evaluation {
  /** Evaluates all pending tokens, including the one that was chosen last, and chooses the next. */
  next(): Promise<number>
  /** Must be called at the end, also after errors. */
  end(): Promise<void>
}

/**
 * A sequence of a context: tokens, and their cached state in the model. The cached tokens are always
 * known exactly: after a failed evaluation, the sequence is cleared before it is used again.
 */
export class LlamaSequence {
  readonly #native: LlamaContextSequence
  readonly #work: NativeWork
  readonly #keepsHistory: boolean
  #isKnown = true

  /** @param keepsHistory whether the cache may be used for the next request */
  constructor(native: LlamaContextSequence, work: NativeWork, keepsHistory: boolean) {
    this.#native = native
    this.#work = work
    // Models with a sliding window or a recurrent state cannot simply drop their last tokens.
    this.#keepsHistory = keepsHistory && !native.needsCheckpoints
  }

  /** How many tokens are cached. */
  get length(): number {
    return this.#native.nextTokenIndex
  }

  /** How many tokens at the beginning of a list are cached. */
  commonPrefix(tokens: readonly number[]): number {
    return this.#native.compareContextTokens(nativeTokens(tokens)).firstDifferentIndex
  }

  /**
   * Drops all cached tokens after the common prefix with the list.
   *
   * @returns how many tokens of the list are cached
   */
  async align(tokens: readonly number[]): Promise<number> {
    await this.#run(() => this.#native.adaptStateToTokens(nativeTokens(tokens), false))
    return this.#native.nextTokenIndex
  }

  /** Evaluates tokens. */
  async read(tokens: readonly number[]): Promise<void> {
    await this.#run(
      () => this.#native.evaluateWithoutGeneratingNewTokens(nativeTokens(tokens)),
      tokens.length,
    )
  }

  /** Evaluates tokens and chooses the next one. */
  async next(
    tokens: readonly number[],
    generateNext: NextToken,
  ): Promise<ControlledEvaluateIndexOutput['next']> {
    const input: ControlledEvaluateInputItem[] = nativeTokens(tokens).slice(0, -1)
    const last = nativeTokens(tokens).at(-1)
    if (last === undefined) throw new Error('there is nothing to evaluate')
    input.push([last, { generateNext }])
    const output = await this.#run(() => this.#native.controlledEvaluate(input), tokens.length)
    const next = output.at(-1)?.next
    if (next === undefined) throw new Error('nothing was computed')
    return next
  }

  /** Begins to evaluate tokens and to choose the ones after them, all with the same options. */
  evaluation(tokens: readonly number[], options: SequenceEvaluateOptions): Evaluation {
    // A token that ends the answer is returned, too, instead of only ending the evaluation.
    const steps = this.#native.evaluate(nativeTokens(tokens), { ...options, yieldEogToken: true })
    let length = tokens.length
    return {
      next: async () => {
        const step = await this.#run(() => steps.next(), length)
        length = 1
        if (step.done) throw new Error('no token was chosen')
        return step.value
      },
      end: async () => {
        await steps.return()
      },
    }
  }

  /** Drops the last token. */
  async forgetLast(): Promise<void> {
    const { nextTokenIndex } = this.#native
    await this.#run(() =>
      this.#native.eraseContextTokenRanges([{ start: nextTokenIndex - 1, end: nextTokenIndex }]),
    )
  }

  /** Must be called after each use: drops what the next request must not use. */
  async settle(): Promise<void> {
    if (this.#isKnown && this.#keepsHistory) return
    await this.#run(() => this.#native.clearHistory())
    this.#isKnown = true
  }

  async #run<Result>(work: () => Promise<Result>, tokens = 0): Promise<Result> {
    try {
      return await this.#work.run(work, tokens)
    } catch (error) {
      this.#isKnown = false
      throw error
    }
  }
}
