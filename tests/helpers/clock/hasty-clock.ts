import type { Timer } from '../../../facilities/clock/clock.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'

/** A clock that runs faster than the system clock, for tests that wait in real time. */
export class HastyClock extends SystemClock {
  readonly #factor: number

  /** @param factor how many times faster */
  constructor(factor = 100) {
    super()
    this.#factor = factor
  }

  override monotonic(): number {
    return super.monotonic() * this.#factor
  }

  override schedule(delayMs: number, action: () => void): Timer {
    return super.schedule(delayMs / this.#factor, action)
  }
}
