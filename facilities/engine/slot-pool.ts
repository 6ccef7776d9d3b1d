import { StarlingError } from '../../helpers/errors/starling-error.js'

/** Somebody who waits for a slot. */
interface Waiter<Slot> {
  readonly take: (slot: Slot) => void
}

/**
 * Things of which each serves one user at a time. Who comes when all are taken waits in line:
 * a slot that was cancelled is free a moment later than its user was told.
 */
export class SlotPool<Slot> {
  readonly #free: Slot[]
  readonly #waiters = new Set<Waiter<Slot>>()
  readonly #maxWaiting: number

  /** @param maxWaiting how many may stand in line; more are refused */
  constructor(slots: readonly Slot[], maxWaiting: number) {
    this.#free = [...slots]
    this.#maxWaiting = maxWaiting
  }

  /**
   * A slot of one's own, until it is released.
   *
   * @throws StarlingError OVERLOADED when the line is full; the signal's reason when aborted
   */
  async acquire(signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted()
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#waiters.size >= this.#maxWaiting) {
      throw new StarlingError(
        'OVERLOADED',
        `All slots of the engine are taken and ${this.#maxWaiting} requests wait for one`,
      )
    }
    return await new Promise<Slot>((resolve, reject) => {
      const onAbort = () => {
        this.#waiters.delete(waiter)
        reject(signal.reason)
      }
      const waiter: Waiter<Slot> = {
        take(slot) {
          signal.removeEventListener('abort', onAbort)
          resolve(slot)
        },
      }
      this.#waiters.add(waiter)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Gives a slot to who waits longest, or back to the pool. */
  release(slot: Slot): void {
    const [next] = this.#waiters
    if (next === undefined) {
      this.#free.push(slot)
      return
    }
    this.#waiters.delete(next)
    next.take(slot)
  }
}
