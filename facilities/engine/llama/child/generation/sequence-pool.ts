import type { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { SlotQueue } from '../../../../../helpers/limits/slot-queue.js'

/** A sequence with cached tokens. */
interface Remembering {
  /** How many tokens are cached. */
  readonly length: number
  /** How many tokens at the beginning of a list are cached. */
  commonPrefix(tokens: readonly number[]): number
}

/**
 * Sequences, of which each serves one request at a time. A request gets the free one with the longest
 * cached prefix. If that one would have to drop more than it keeps, the request gets the one that has
 * been free longest: all conversations begin with the same few tokens and would displace each other. If
 * no sequence is free, requests are queued, because a sequence whose request was cancelled becomes free
 * slightly after its cancellation is reported.
 */
export class SequencePool<Sequence extends Remembering> {
  /** In the order in which they became free. */
  readonly #free: Sequence[]
  readonly #queue: SlotQueue
  readonly #releases = new Map<Sequence, () => void>()

  /** @param maxWaiting requests that may be queued; further ones are refused */
  constructor(sequences: readonly Sequence[], maxWaiting: number) {
    this.#free = [...sequences]
    this.#queue = new SlotQueue({ slots: sequences.length, maxWaiting })
  }

  /** Sequences that are in use. */
  get taken(): number {
    return this.#queue.running
  }

  /**
   * Takes a sequence, until it is released.
   *
   * @param tokens the tokens that will be evaluated in it
   * @throws StarlingError OVERLOADED if the queue is full; the signal's reason; the reason of {@link close}
   */
  async acquire(tokens: readonly number[], signal: AbortSignal): Promise<Sequence> {
    const release = await this.#queue.acquire({ signal })
    const sequence = this.#takeBest(tokens)
    this.#releases.set(sequence, release)
    return sequence
  }

  /** Gives a sequence back. */
  release(sequence: Sequence): void {
    this.#free.push(sequence)
    this.#releases.get(sequence)?.()
    this.#releases.delete(sequence)
  }

  /** Refuses all queued and further requests. */
  close(reason: StarlingError): void {
    this.#queue.close(reason)
  }

  #takeBest(tokens: readonly number[]): Sequence {
    let best = 0
    let longest = 0
    for (const [index, sequence] of this.#free.entries()) {
      const prefix = sequence.commonPrefix(tokens)
      if (prefix > longest && prefix * 2 > sequence.length) {
        best = index
        longest = prefix
      }
    }
    // There is a free one for each slot that is not in use.
    return this.#free.splice(best, 1)[0] as Sequence
  }
}
