import type { Clock, Timer } from '../../clock/clock.js'
import { repeat } from '../../clock/repeat.js'
import { OverdueWork, STEP_TIMEOUT_MS, type WorkReport } from './overdue-work.js'

/** How often a child is pinged. */
export const PING_INTERVAL_MS = 2_000

/**
 * How many pings in a row may stay unanswered: converting a model keeps a child busy for seconds.
 * Counted, not timed, because a laptop may be suspended in between.
 */
const MAX_UNANSWERED = 10

/** The same, while a request blocks the child. */
const MAX_UNANSWERED_BLOCKED = STEP_TIMEOUT_MS / PING_INTERVAL_MS

const NO_WORK: WorkReport = { done: 0, tokens: 0, choosing: [] }

/**
 * How long a cancelled answer may take to stop. Cancelling waits for one evaluation, which takes seconds
 * with a large model on a slow machine; only one that never ends takes this long.
 */
const CANCEL_TIMEOUT_MS = 60_000

/** Called when a child hangs. @param requests those that caused it, if known */
export type OnHang = (reason: string, requests: readonly number[]) => void

/**
 * Detects that a child hangs: it does not answer, a cancelled answer does not stop, or a computation does
 * not finish.
 */
export class ChildHeartbeat {
  readonly #clock: Clock
  readonly #onHang: OnHang
  readonly #stopping = new Map<number, Timer>()
  readonly #timer: Timer
  readonly #work = new OverdueWork(PING_INTERVAL_MS)
  #unanswered = 0

  /**
   * @param options.ping sends a ping to the child; call {@link answered} when it is answered
   * @param options.blocking the request that blocks the child; null if none does
   */
  constructor(options: {
    clock: Clock
    ping: () => void
    blocking: () => number | null
    onHang: OnHang
  }) {
    this.#clock = options.clock
    this.#onHang = options.onHang
    this.#timer = repeat(options.clock, PING_INTERVAL_MS, () => {
      const blocking = this.#unanswered < MAX_UNANSWERED_BLOCKED ? null : options.blocking()
      if (blocking !== null) {
        options.onHang(`it took longer than ${STEP_TIMEOUT_MS / 1000} s`, [blocking])
      } else if (this.#unanswered >= MAX_UNANSWERED) {
        options.onHang(`it did not answer ${MAX_UNANSWERED} times in a row`, [])
      }
      this.#unanswered += 1
      options.ping()
    })
  }

  /** @param tokenMs the time of a token on this machine */
  measured(tokenMs: number): void {
    this.#work.measured(tokenMs)
  }

  /** @param work what the child is doing */
  answered(work = NO_WORK): void {
    this.#unanswered = 0
    const overdue = this.#work.reported(work)
    if (overdue !== null) this.#onHang(overdue.reason, overdue.requests)
  }

  /** A request was cancelled. */
  cancelled(id: number): void {
    const timer = this.#clock.schedule(CANCEL_TIMEOUT_MS, () =>
      this.#onHang(`a cancelled answer did not stop within ${CANCEL_TIMEOUT_MS / 1000} s`, []),
    )
    this.#stopping.set(id, timer)
  }

  /** The request has stopped. */
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
