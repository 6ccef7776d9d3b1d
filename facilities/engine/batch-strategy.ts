import type {
  BatchItem,
  LlamaContextSequence,
  Token as NativeToken,
  PrioritizedBatchItem,
} from 'node-llama-cpp'

/** Sequences that are compared, at most. */
const PROBED_SEQUENCES = 4

/** Tokens that are compared of each. */
const PROBED_TOKENS = 3

/**
 * Decides which answers llama.cpp computes in one batch.
 *
 * Computing several together reads the model once for all of them. But for some kinds of weights it
 * also takes another path through the matrices, which rounds differently: an answer would then
 * depend on which others run beside it. Measured on a CPU: with f16 weights 109 of 120 probabilities
 * changed beside three others, with q8_0 weights none of 120 did.
 */
export class BatchStrategy {
  #together = true

  /** Whether answers are computed together, or one after the other in turns. */
  get together(): boolean {
    return this.#together
  }

  /**
   * For node-llama-cpp: what the next batch holds. Always whole items, so that a chunk of a prompt
   * stays one chunk; the batch has to be large enough for one of each sequence.
   */
  readonly prioritize = ({
    items,
  }: {
    readonly items: readonly BatchItem[]
  }): PrioritizedBatchItem[] =>
    (this.#together ? items : items.slice(0, 1)).map((item) => ({
      item,
      processAmount: item.tokens.length,
    }))

  /**
   * Tries whether answers stay what they are, to the last bit, when they are computed together, and
   * has them computed in turns if not. The sequences are empty before and after.
   */
  async choose(
    sequences: readonly LlamaContextSequence[],
    prompt: readonly NativeToken[],
  ): Promise<void> {
    const probed = sequences.slice(0, PROBED_SEQUENCES)
    // Prompts of different lengths, so that one is decoded beside another's prompt.
    const probe = (sequence: LlamaContextSequence, index: number) =>
      likelihoods(
        sequence,
        [...Array(index + 1)].flatMap(() => prompt),
      )
    const alone: string[] = []
    for (const [index, sequence] of probed.entries()) alone.push(await probe(sequence, index))
    const beside = await Promise.all(probed.map(probe))
    this.#together = alone.every((outcome, index) => outcome === beside[index])
  }
}

/** The likeliest next tokens and their exact probabilities. */
async function likelihoods(
  sequence: LlamaContextSequence,
  prompt: readonly NativeToken[],
): Promise<string> {
  const outcomes: string[] = []
  let input = [...prompt]
  for (let index = 0; index < PROBED_TOKENS; index++) {
    const last = input.pop()
    if (last === undefined) break
    const options = { temperature: 0 }
    const generateNext = { token: true, confidence: true, options }
    const output = await sequence.controlledEvaluate([...input, [last, { generateNext }]])
    const next = output.at(-1)?.next
    outcomes.push(`${next?.token}:${next?.confidence}`)
    input = next?.token === undefined || next.token === null ? [] : [next.token]
  }
  await sequence.clearHistory()
  return outcomes.join(' ')
}
