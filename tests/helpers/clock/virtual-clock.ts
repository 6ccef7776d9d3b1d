import type { Clock, Timer } from '../../../facilities/clock/clock.js'
import { sleepWith } from '../../../facilities/clock/system-clock.js'

interface Scheduled {
  readonly at: number
  readonly action: () => void
}

/** A clock that stands still until a test moves it. */
export class VirtualClock implements Clock {
  #now: number
  readonly #started: number
  readonly #scheduled = new Set<Scheduled>()

  constructor(nowMs = Date.UTC(2026, 0, 1)) {
    this.#now = nowMs
    this.#started = nowMs
  }

  /** Pending timer calls. */
  get pending(): number {
    return this.#scheduled.size
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now - this.#started
  }

  schedule(delayMs: number, action: () => void): Timer {
    const entry = { at: this.#now + delayMs, action }
    this.#scheduled.add(entry)
    return { cancel: () => this.#scheduled.delete(entry) }
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith(this, delayMs, signal)
  }

  /** Advances time, runs every due call in order, and lets promises settle. */
  async advance(byMs: number): Promise<void> {
    const until = this.#now + byMs
    for (;;) {
      let next: Scheduled | undefined
      for (const entry of this.#scheduled) {
        if (entry.at <= until && (next === undefined || entry.at < next.at)) next = entry
      }
      if (next === undefined) break
      this.#scheduled.delete(next)
      this.#now = next.at
      next.action()
      await settle()
    }
    this.#now = until
    await settle()
  }

  /** Advances time in steps of 10 ms until the awaited promise settles. */
  async advanceUntil<T>(waiting: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    waiting.then(settled, settled)
    while (!isSettled) await this.advance(10)
    return await waiting
  }
}

/** Runs everything that waits for promises only. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
