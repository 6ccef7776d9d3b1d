import { StarlingError } from '../../helpers/errors/starling-error.js'

/** Somebody who waits for a slot. */
interface Waiter {
  readonly start: () => void
}

/**
 * Lets a bounded number of answers be made at once and a bounded number wait, in the order in which
 * they came. One more is refused at once: a user who is told to come back is better off than one
 * whose request times out in a line.
 */
export class SlotQueue {
  readonly #slots: number
  readonly #maxWaiting: number
  readonly #answerMs: () => number | undefined
  readonly #waiting = new Set<Waiter>()
  #running = 0

  /** @param options.answerMs the mean time for which a slot is held; undefined while unknown */
  constructor(options: {
    slots: number
    maxWaiting: number
    answerMs?: () => number | undefined
  }) {
    this.#slots = options.slots
    this.#maxWaiting = options.maxWaiting
    this.#answerMs = options.answerMs ?? (() => undefined)
  }

  get slots(): number {
    return this.#slots
  }

  /** Requests that may wait. */
  get maxWaiting(): number {
    return this.#maxWaiting
  }

  /** Answers in the making. */
  get running(): number {
    return this.#running
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Waits for a slot.
   *
   * @returns gives the slot back; calling it again does nothing
   * @throws StarlingError OVERLOADED if the queue is full, with the mean time until a place becomes
   *   free, if that is known; or the signal's reason
   */
  async acquire(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#running >= this.#slots) {
      if (this.#waiting.size >= this.#maxWaiting) {
        throw new StarlingError(
          'OVERLOADED',
          `All ${this.#slots} slots are busy and ${this.#maxWaiting} requests wait already`,
          this.#placeFree(),
        )
      }
      await this.#wait(signal)
    } else {
      this.#running += 1
    }
    let isHeld = true
    return () => {
      if (isHeld) this.#release()
      isHeld = false
    }
  }

  /** Resolves with a slot that was handed over: it is counted as running all along. */
  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiter)
        reject(signal.reason)
      }
      const waiter = {
        start: () => {
          signal.removeEventListener('abort', leave)
          resolve()
        },
      }
      this.#waiting.add(waiter)
      signal.addEventListener('abort', leave, { once: true })
    })
  }

  #placeFree(): { retryAfterMs?: number } {
    const answerMs = this.#answerMs()
    return answerMs === undefined ? {} : { retryAfterMs: Math.ceil(answerMs / this.#slots) }
  }

  #release(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#running -= 1
      return
    }
    this.#waiting.delete(next)
    next.start()
  }
}
