import type { BatchItem, PrioritizedBatchItem } from 'node-llama-cpp'

/** The arguments that node-llama-cpp passes to a strategy. */
interface Waiting {
  readonly items: readonly BatchItem[]
  /** How many tokens the batch can hold. */
  readonly size: number
}

/**
 * Decides which evaluations llama.cpp computes in one batch.
 *
 * Computing several together reads the model once for all of them. But for some kinds of weights it
 * also uses other matrix kernels, which round differently: an answer would then depend on the others
 * that run beside it. Measured on a CPU: with f16 weights 109 of 120 probabilities changed beside three
 * others, with q8_0 weights none of 120 did. In that case answers take turns.
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
   * For node-llama-cpp: the content of the next batch. Items are never split, so that a chunk of a
   * prompt stays one chunk. Answers come first, because each adds a single token, then as many prompts
   * as fit, in their order of arrival. The batch has to be large enough for a token of each sequence
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
      // A smaller one behind it might fit, but then a large one could wait forever.
      if (left < 0) break
      prompts.push(item)
    }
    return [...answers, ...prompts].map(whole)
  }
}

function whole(item: BatchItem): PrioritizedBatchItem {
  return { item, processAmount: item.tokens.length }
}
