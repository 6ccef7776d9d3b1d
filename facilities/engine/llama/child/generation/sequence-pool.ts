import { StarlingError } from '../../../../../helpers/errors/starling-error.js'

/** Something that remembers tokens. */
interface Remembering {
  /** How many. */
  readonly length: number
  /** How many tokens at the beginning of a list it remembers. */
  commonPrefix(tokens: readonly number[]): number
}

/** Somebody who waits for a sequence. */
interface Waiter<Sequence> {
  readonly take: (sequence: Sequence) => void
  readonly refuse: (reason: unknown) => void
}

/**
 * Sequences, of which each serves one request at a time. A request gets the free one that remembers
 * most of its beginning; but when that one would have to forget more than it keeps, the one that was
 * free longest: all conversations begin with the same few tokens, and would push one another out of
 * their sequences. Who comes when all are taken waits in line: a sequence whose request was cancelled
 * is free a moment later than its user was told.
 */
export class SequencePool<Sequence extends Remembering> {
  /** The one that has been free longest comes first. */
  readonly #free: Sequence[]
  readonly #waiters = new Set<Waiter<Sequence>>()
  readonly #size: number
  readonly #maxWaiting: number
  #closed: StarlingError | null = null

  /** @param maxWaiting how many may stand in line; more are refused */
  constructor(sequences: readonly Sequence[], maxWaiting: number) {
    this.#free = [...sequences]
    this.#size = sequences.length
    this.#maxWaiting = maxWaiting
  }

  /** How many are taken. */
  get taken(): number {
    return this.#size - this.#free.length
  }

  /**
   * A sequence of one's own, until it is released.
   *
   * @param tokens what is to be evaluated in it
   * @throws StarlingError OVERLOADED when the line is full, the reason for the closing once closed;
   *   the signal's reason when aborted
   */
  async acquire(tokens: readonly number[], signal: AbortSignal): Promise<Sequence> {
    signal.throwIfAborted()
    if (this.#closed !== null) throw this.#closed
    const free = this.#takeBest(tokens)
    if (free !== null) return free
    if (this.#waiters.size >= this.#maxWaiting) {
      throw new StarlingError(
        'OVERLOADED',
        `All slots of the engine are taken and ${this.#maxWaiting} requests wait for one`,
      )
    }
    return await new Promise<Sequence>((resolve, reject) => {
      const onAbort = () => {
        this.#waiters.delete(waiter)
        reject(signal.reason)
      }
      const waiter: Waiter<Sequence> = {
        take(sequence) {
          signal.removeEventListener('abort', onAbort)
          resolve(sequence)
        },
        refuse(reason) {
          signal.removeEventListener('abort', onAbort)
          reject(reason)
        },
      }
      this.#waiters.add(waiter)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Gives a sequence to who waits longest, or back to the pool. */
  release(sequence: Sequence): void {
    const [next] = this.#waiters
    if (next === undefined) {
      this.#free.push(sequence)
      return
    }
    this.#waiters.delete(next)
    next.take(sequence)
  }

  /** Refuses who waits and who comes. */
  close(reason: StarlingError): void {
    this.#closed = reason
    for (const waiter of this.#waiters) waiter.refuse(reason)
    this.#waiters.clear()
  }

  #takeBest(tokens: readonly number[]): Sequence | null {
    let best = 0
    let longest = 0
    for (const [index, sequence] of this.#free.entries()) {
      const prefix = sequence.commonPrefix(tokens)
      if (prefix > longest && prefix * 2 > sequence.length) {
        best = index
        longest = prefix
      }
    }
    return this.#free.splice(best, 1)[0] ?? null
  }
}
