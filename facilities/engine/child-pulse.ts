import type { Clock, Timer } from '../clock/clock.js'
import { repeat } from '../clock/repeat.js'

/** How often a child is asked whether it lives. */
export const PULSE_INTERVAL_MS = 2_000

/**
 * How many questions in a row it may leave unanswered: it may well be busy for seconds with a model
 * that has to be made. Counted, not timed, because a laptop may sleep in between.
 */
const MAX_UNANSWERED = 10

/**
 * How long what was cancelled may take to stop. Cancelling waits for one evaluation, which a large
 * model on a slow machine takes seconds for; nothing takes this long but one that never ends.
 */
const CANCEL_TIMEOUT_MS = 60_000

/** Notices that a child hangs: it does not answer, or what it was told to stop does not stop. */
export class ChildPulse {
  readonly #clock: Clock
  readonly #onHang: (reason: string) => void
  readonly #stopping = new Map<number, Timer>()
  readonly #timer: Timer
  #unanswered = 0

  /** @param options.ping asks the child; its answer is to be told by {@link answered} */
  constructor(options: { clock: Clock; ping: () => void; onHang: (reason: string) => void }) {
    this.#clock = options.clock
    this.#onHang = options.onHang
    this.#timer = repeat(options.clock, PULSE_INTERVAL_MS, () => {
      if (this.#unanswered >= MAX_UNANSWERED) {
        options.onHang(`it did not answer ${MAX_UNANSWERED} times in a row`)
      }
      this.#unanswered += 1
      options.ping()
    })
  }

  answered(): void {
    this.#unanswered = 0
  }

  /** A request has been told to stop. */
  cancelled(id: number): void {
    const timer = this.#clock.schedule(CANCEL_TIMEOUT_MS, () =>
      this.#onHang(`what was cancelled did not stop within ${CANCEL_TIMEOUT_MS / 1000} s`),
    )
    this.#stopping.set(id, timer)
  }

  /** It has. */
  stopped(id: number): void {
    this.#stopping.get(id)?.cancel()
    this.#stopping.delete(id)
  }

  end(): void {
    this.#timer.cancel()
    for (const timer of this.#stopping.values()) timer.cancel()
    this.#stopping.clear()
  }
}
