import type { BatchItem, PrioritizedBatchItem } from 'node-llama-cpp'

/** What node-llama-cpp asks a strategy with. */
interface Waiting {
  readonly items: readonly BatchItem[]
  /** How many tokens the batch can hold. */
  readonly size: number
}

/**
 * Decides which evaluations llama.cpp computes in one batch.
 *
 * Computing several together reads the model once for all of them. But for some kinds of weights it
 * also takes another path through the matrices, which rounds differently: an answer would then
 * depend on which others run beside it. Measured on a CPU: with f16 weights 109 of 120 probabilities
 * changed beside three others, with q8_0 weights none of 120 did. Where that is so, answers take turns.
 */
export class BatchStrategy {
  #together = true

  /** Whether answers are computed together, or one after the other in turns. */
  get together(): boolean {
    return this.#together
  }

  /** From now on, one evaluation at a time. */
  takeTurns(): void {
    this.#together = false
  }

  /**
   * For node-llama-cpp: what the next batch holds. Always whole items, so that a chunk of a prompt
   * stays one chunk. Answers come before prompts, because each adds a single token; prompts as many as
   * fit, in the order in which they came. The batch has to be large enough for one of each sequence
   * and the largest chunk.
   */
  readonly prioritize = ({ items, size }: Waiting): PrioritizedBatchItem[] => {
    if (!this.#together) return items.slice(0, 1).map(whole)
    const answers = items.filter(({ tokens }) => tokens.length === 1)
    let left = size - answers.length
    const prompts: BatchItem[] = []
    for (const item of items) {
      if (item.tokens.length === 1) continue
      left -= item.tokens.length
      // The next one may be smaller and fit; but then a large one could wait forever.
      if (left < 0) break
      prompts.push(item)
    }
    return [...answers, ...prompts].map(whole)
  }
}

function whole(item: BatchItem): PrioritizedBatchItem {
  return { item, processAmount: item.tokens.length }
}
