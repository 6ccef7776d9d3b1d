import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { Clock, Timer } from './clock.js'
import { repeat } from './repeat.js'

/** Between two measurements. */
const RESOLUTION_MS = 20
/** The period that a figure covers, at least. */
const WINDOW_MS = 60_000

const NANOSECONDS_PER_MS = 1e6

/** The delay of the event loop of a process. */
export class EventLoopDelay {
  readonly #histogram: IntervalHistogram
  readonly #timer: Timer
  #lastWindowMs = 0

  /** Measures from now on, until it is stopped. */
  constructor(clock: Clock) {
    this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    this.#histogram.enable()
    this.#timer = repeat(clock, WINDOW_MS, () => {
      this.#lastWindowMs = this.#measuredP99Ms()
      this.#histogram.reset()
    })
  }

  /** The delay that 99 of 100 were below, in milliseconds: the worse of this minute and the last. */
  p99Ms(): number {
    return Math.max(this.#lastWindowMs, this.#measuredP99Ms())
  }

  stop(): void {
    this.#timer.cancel()
    this.#histogram.disable()
  }

  #measuredP99Ms(): number {
    if (this.#histogram.count === 0) return 0
    // The histogram holds whole intervals: the resolution and what came on top of it.
    return Math.max(0, this.#histogram.percentile(99) / NANOSECONDS_PER_MS - RESOLUTION_MS)
  }
}
