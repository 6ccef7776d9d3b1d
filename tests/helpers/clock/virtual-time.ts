import type { Clock, Timer } from '../../../facilities/clock/clock.js'
import { sleepWith } from '../../../facilities/clock/system-clock.js'

/** What belongs together in time: a process, or one of the stand-ins for the libraries' own timers. */
export class Lane {
  readonly id: number
  /** Nothing of the lane happens before this time. */
  pausedUntilMs = 0

  constructor(id: number) {
    this.id = id
  }
}

interface Scheduled {
  atMs: number
  tie: number
  readonly order: number
  readonly lane: Lane
  readonly action: () => void
  isCancelled: boolean
}

/**
 * The time of a simulation. It stands still while anything is being computed, and jumps to the next event when all is
 * done. Events of one time are ordered by the seed, and within one lane in the order in which they were scheduled.
 */
export class VirtualTime {
  readonly #seed: number
  /** A binary heap: the next event is the first. */
  readonly #events: Scheduled[] = []
  #nowMs = 0
  #order = 0
  #pending = 0
  #lanes = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  /** Milliseconds since the beginning. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Events that are still to happen. */
  get pending(): number {
    return this.#pending
  }

  createLane(): Lane {
    this.#lanes += 1
    return new Lane(this.#lanes)
  }

  schedule(lane: Lane, delayMs: number, action: () => void): Timer {
    if (!(delayMs >= 0)) throw new Error(`Scheduled ${delayMs} ms from now`)
    this.#order += 1
    this.#pending += 1
    const event = { atMs: 0, tie: 0, order: this.#order, lane, action, isCancelled: false }
    this.#push(event, this.#nowMs + delayMs)
    return {
      cancel: () => {
        if (!event.isCancelled) this.#pending -= 1
        event.isCancelled = true
      },
    }
  }

  /** Jumps to the next event and runs it. @returns false if there is none */
  runNext(): boolean {
    for (;;) {
      const event = this.#pop()
      if (event === undefined) return false
      if (event.isCancelled) continue
      const { lane, atMs, action } = event
      if (lane.pausedUntilMs > atMs) {
        this.#push(event, lane.pausedUntilMs)
        continue
      }
      event.isCancelled = true
      this.#pending -= 1
      this.#nowMs = Math.max(this.#nowMs, atMs)
      action()
      return true
    }
  }

  #push(event: Scheduled, atMs: number): void {
    event.atMs = atMs
    event.tie = mix(this.#seed, event.lane.id, Math.floor(atMs * 1000))
    const events = this.#events
    let index = events.push(event) - 1
    while (index > 0) {
      const above = (index - 1) >> 1
      if (!isBefore(event, events[above])) break
      swap(events, index, above)
      index = above
    }
  }

  #pop(): Scheduled | undefined {
    const events = this.#events
    const [first] = events
    const last = events.pop()
    if (first === undefined || last === undefined || first === last) return first
    events[0] = last
    for (let index = 0; ; ) {
      let least = index
      for (const below of [2 * index + 1, 2 * index + 2]) {
        if (isBefore(events[below], events[least])) least = below
      }
      if (least === index) return first
      swap(events, index, least)
      index = least
    }
  }
}

function isBefore(one: Scheduled | undefined, other: Scheduled | undefined): boolean {
  if (one === undefined || other === undefined) return one !== undefined
  if (one.atMs !== other.atMs) return one.atMs < other.atMs
  if (one.tie !== other.tie) return one.tie < other.tie
  return one.order < other.order
}

function swap(events: Scheduled[], one: number, other: number): void {
  const [first, second] = [events[one], events[other]]
  if (first === undefined || second === undefined) return
  events[one] = second
  events[other] = first
}

/** A number that depends on all of the given ones: the finalizer of MurmurHash3 (Appleby, 2011). */
export function mix(...numbers: readonly number[]): number {
  let hash = 0
  for (const number of numbers) {
    hash = Math.imul(hash ^ (number >>> 0), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    hash ^= hash >>> 16
  }
  return hash >>> 0
}

/** When a simulation begins, as its clocks show it. */
const BEGINNING = Date.UTC(2026, 0, 1)

/** The clock of one process. It rounds the delays of timers as Node does. */
export class ProcessClock implements Clock {
  readonly #time: VirtualTime
  readonly #lane: Lane
  readonly #aheadMs: number
  readonly #startedAtMs: number
  readonly #timers = new Set<Timer>()
  #isStopped = false

  /** @param aheadMs how far its wall-clock time is ahead */
  constructor(time: VirtualTime, lane: Lane, aheadMs = 0) {
    this.#time = time
    this.#lane = lane
    this.#aheadMs = aheadMs
    this.#startedAtMs = time.nowMs
  }

  /** Timers that have neither run nor been cancelled. */
  get pending(): number {
    return this.#timers.size
  }

  now(): number {
    return BEGINNING + Math.floor(this.#time.nowMs + this.#aheadMs)
  }

  monotonic(): number {
    return this.#time.nowMs - this.#startedAtMs
  }

  schedule(delayMs: number, action: () => void): Timer {
    if (this.#isStopped) return { cancel: () => undefined }
    const wholeMs = delayMs >= 1 ? Math.trunc(delayMs) : 1
    const scheduled = this.#time.schedule(this.#lane, wholeMs, () => {
      this.#timers.delete(timer)
      action()
    })
    const timer = {
      cancel: () => {
        this.#timers.delete(timer)
        scheduled.cancel()
      },
    }
    this.#timers.add(timer)
    return timer
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, delayMs, signal)
  }

  /** The process is gone: none of its timers runs any more. */
  stop(): void {
    this.#isStopped = true
    for (const timer of [...this.#timers]) timer.cancel()
  }
}
