import type {
  ControlledEvaluateIndexOutput,
  ControlledEvaluateInputItem,
  LlamaContextSequence,
  Token as NativeToken,
  SequenceEvaluateOptions,
} from 'node-llama-cpp'
import { nativeTokens } from '../model/llama-tokenizer.js'
import type { NativeWork } from '../model/native-work.js'

/** How the token after a position is chosen, and what is told about it. */
export type NextToken = Exclude<
  Exclude<ControlledEvaluateInputItem, NativeToken>[1]['generateNext'],
  undefined
>

/** Tokens that are chosen one after the other. */
export interface Evaluation {
  /** Evaluates what has not been, the token that was chosen last included, and chooses the next. */
  next(): Promise<number>
  /** To be called at the end, whatever happened. */
  end(): Promise<void>
}

/**
 * One of a context's sequences: tokens and what the model remembers of them. What it remembers is
 * always exactly known: when an evaluation fails, it forgets everything before it is used again.
 */
export class LlamaSequence {
  readonly #native: LlamaContextSequence
  readonly #work: NativeWork
  readonly #keepsHistory: boolean
  #isKnown = true

  /** @param keepsHistory whether what it remembers may be used for the next request */
  constructor(native: LlamaContextSequence, work: NativeWork, keepsHistory: boolean) {
    this.#native = native
    this.#work = work
    // Models with a sliding window or a recurrent state cannot just forget their last tokens.
    this.#keepsHistory = keepsHistory && !native.needsCheckpoints
  }

  /** How many tokens it remembers. */
  get length(): number {
    return this.#native.nextTokenIndex
  }

  /** How many tokens at the beginning of a list it remembers. */
  commonPrefix(tokens: readonly number[]): number {
    return this.#native.compareContextTokens(nativeTokens(tokens)).firstDifferentIndex
  }

  /**
   * Forgets everything that is not at the beginning of the list.
   *
   * @returns how many of its tokens are remembered
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
    // A token that ends the answer is given out, too, instead of only ending the evaluation.
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

  /** Forgets the last token. */
  async forgetLast(): Promise<void> {
    const { nextTokenIndex } = this.#native
    await this.#run(() =>
      this.#native.eraseContextTokenRanges([{ start: nextTokenIndex - 1, end: nextTokenIndex }]),
    )
  }

  /** To be called after each use: forgets what the next one may not find. */
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
