import { StarlingError } from '../errors/starling-error.js'
import { FairQueue, type OwnerPath } from './fair-queue.js'

/** Requests of normal priority that may start one after the other while one of low priority is queued. */
export const NORMAL_STARTS_PER_LOW = 8

/** Low priority yields to normal: see {@link SlotQueue}. */
export type Priority = 'normal' | 'low'

/** A request for a slot. */
export interface SlotRequest {
  /** Whose request it is. Default: all requests belong to the same owner. */
  readonly owner?: OwnerPath
  /** Default: normal. */
  readonly priority?: Priority
  /** Removes the request from the queue when it is aborted. A slot that it already holds is kept. */
  readonly signal?: AbortSignal | undefined
}

/** The limits of a {@link SlotQueue}. */
export interface SlotQueueOptions {
  /** Requests that hold a slot at the same time. */
  readonly slots: number
  /** Requests that may wait, of each priority. */
  readonly maxWaiting: number
  /** Requests of one owner that may wait, of each priority. Default: no separate limit. */
  readonly maxWaitingPerOwner?: number
  /** When a refused request may be sent again, by the number of waiting requests. Default: unknown. */
  readonly retryAfterMs?: (queued: number) => number | undefined
}

interface QueuedRequest {
  readonly start: () => void
  readonly refuse: (error: unknown) => void
}

/**
 * A semaphore with a bounded and fair queue. A request that is refused at once is better off than one that
 * times out in a long queue.
 *
 * Owners take turns, as in {@link FairQueue}. If the queue is full, the newest request of the owner with
 * the most is refused. Requests of low priority leave one of several slots free for others, and while
 * others are queued, one of them starts after every {@link NORMAL_STARTS_PER_LOW} others.
 */
export class SlotQueue {
  readonly slots: number
  readonly maxWaiting: number
  readonly #maxWaitingPerOwner: number
  readonly #retryAfterMs: (queued: number) => number | undefined
  readonly #queues = {
    normal: new FairQueue<QueuedRequest>(),
    low: new FairQueue<QueuedRequest>(),
  }
  readonly #running = { normal: 0, low: 0 }
  /** Normal starts since a request of low priority last started or was last found not to be queued. */
  #normalStarts = 0
  #closed: { readonly reason: unknown } | null = null

  constructor(options: SlotQueueOptions) {
    this.slots = options.slots
    this.maxWaiting = options.maxWaiting
    this.#maxWaitingPerOwner = options.maxWaitingPerOwner ?? Number.POSITIVE_INFINITY
    this.#retryAfterMs = options.retryAfterMs ?? (() => undefined)
  }

  /** Requests that hold a slot. */
  get running(): number {
    return this.#running.normal + this.#running.low
  }

  /** Requests that wait for a slot. */
  get waiting(): number {
    return this.#queues.normal.size + this.#queues.low.size
  }

  /**
   * Waits for a slot.
   *
   * @returns gives the slot back; further calls do nothing
   * @throws StarlingError OVERLOADED, also after a wait; the signal's reason; the reason of {@link close}
   */
  async acquire(request: SlotRequest = {}): Promise<() => void> {
    const { priority = 'normal', signal } = request
    signal?.throwIfAborted()
    if (this.#closed !== null) throw this.#closed.reason
    if (this.#queues[priority].size === 0 && this.#mayStart(priority)) this.#start(priority)
    else await this.#wait(request, priority)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#running[priority] -= 1
      this.#startQueued()
    }
  }

  /** Runs an action while it holds a slot. @throws as {@link acquire}, or as the action */
  async run<Result>(action: () => Promise<Result>, request?: SlotRequest): Promise<Result> {
    const release = await this.acquire(request)
    try {
      return await action()
    } finally {
      release()
    }
  }

  /** Refuses all queued and further requests with `reason`. Slots that are held can be given back. */
  close(reason: unknown): void {
    this.#closed = { reason }
    for (const queue of Object.values(this.#queues)) {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) next.refuse(reason)
    }
  }

  #mayStart(priority: Priority): boolean {
    if (this.running >= this.slots) return false
    return priority === 'normal' || this.#running.low < Math.max(1, this.slots - 1)
  }

  #start(priority: Priority): void {
    this.#running[priority] += 1
    if (priority === 'low' || this.#queues.low.size === 0) this.#normalStarts = 0
    else this.#normalStarts += 1
  }

  #wait({ owner = [], signal }: SlotRequest, priority: Priority): Promise<void> {
    const queue = this.#queues[priority]
    if (queue.sizeOf(owner) >= this.#maxWaitingPerOwner) throw this.#overloaded(queue.size)
    return new Promise((resolve, reject) => {
      const leave = () => signal?.removeEventListener('abort', onAbort)
      const queued: QueuedRequest = {
        start: () => {
          leave()
          resolve()
        },
        refuse: (error) => {
          leave()
          reject(error)
        },
      }
      const onAbort = () => {
        queue.remove(owner, queued)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      queue.push(owner, queued)
      if (queue.size > this.maxWaiting) queue.evict()?.refuse(this.#overloaded(queue.size))
    })
  }

  #overloaded(queued: number): StarlingError {
    const retryAfterMs = this.#retryAfterMs(queued)
    return new StarlingError(
      'OVERLOADED',
      `All ${this.slots} slots are in use and ${queued} requests are queued`,
      retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(retryAfterMs) },
    )
  }

  /** Starts the next requests synchronously, so that no new request overtakes them. */
  #startQueued(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#start(next)
      this.#queues[next].shift()?.start()
    }
  }

  #next(): Priority | undefined {
    const isNext = (priority: Priority) =>
      this.#queues[priority].size > 0 && this.#mayStart(priority)
    if (isNext('low') && this.#normalStarts >= NORMAL_STARTS_PER_LOW) return 'low'
    if (isNext('normal')) return 'normal'
    return isNext('low') ? 'low' : undefined
  }
}
