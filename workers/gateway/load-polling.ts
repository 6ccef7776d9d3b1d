import type { Clock, Timer } from '../../facilities/clock/clock.js'
import type { Peer } from '../../facilities/network/calls/peers.js'
import { createRateLimit, decideRate } from '../../helpers/limits/gcra.js'

/** Each report takes some 0.05 ms of processor time. Up to 500 processors are asked twice a second. */
export const MAX_REPORTS_PER_SECOND = 1_000
/** Reports that are requested in one moment. */
const MAX_REPORTS_AT_ONCE = 32
/** The least time between two moments. */
const LEAST_PAUSE_MS = 16

/**
 * Asks processors for their load again and again. The requests are spread over time: however many processors there
 * are, no more than {@link MAX_REPORTS_PER_SECOND} are asked in a second. Those that were never asked come first,
 * then those that were asked longest ago.
 */
export class LoadPolling {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #ask: (processor: Peer) => Promise<void>
  readonly #limit = createRateLimit(MAX_REPORTS_PER_SECOND, MAX_REPORTS_AT_ONCE, 1_000)
  #rate: number | undefined
  readonly #new = new Set<Peer>()
  /** When each of the others is to be asked, in monotonic milliseconds, the first one first. */
  readonly #due = new Map<Peer, number>()
  /** Those that have not answered yet. They are not asked again before. */
  readonly #pending = new Set<Peer>()
  #timer: Timer | null = null
  #isRunning = false

  /**
   * @param options.intervalMs between two requests to the same processor, if there are few
   * @param options.ask requests a report; does not fail
   */
  constructor(options: {
    clock: Clock
    intervalMs: number
    ask: (processor: Peer) => Promise<void>
  }) {
    this.#clock = options.clock
    this.#intervalMs = options.intervalMs
    this.#ask = options.ask
  }

  start(): void {
    this.#isRunning = true
    this.#askDue()
  }

  stop(): void {
    this.#isRunning = false
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Asks a processor as soon as possible, and again and again once the polling is started. */
  add(processor: Peer): void {
    if (this.#due.has(processor)) return
    this.#new.add(processor)
    this.#askDue()
  }

  /** A processor is not asked any more. */
  remove(processor: Peer): void {
    this.#new.delete(processor)
    this.#due.delete(processor)
  }

  #askDue(): void {
    const now = this.#clock.monotonic()
    let pauseMs = 0
    for (let next = this.#next(now); next !== undefined; next = this.#next(now)) {
      const decision = decideRate(this.#limit, this.#rate, now)
      if (!decision.conforms) {
        pauseMs = Math.max(LEAST_PAUSE_MS, decision.retryAfterMs)
        break
      }
      this.#rate = decision.theoreticalArrivalUs
      this.#request(next, now)
    }
    this.#schedule(now, pauseMs)
  }

  /** The processor to ask now. */
  #next(now: number): Peer | undefined {
    const [added] = this.#new
    if (added !== undefined) return added
    for (const [processor, dueAt] of this.#due) {
      if (dueAt > now) return undefined
      if (!this.#pending.has(processor)) return processor
      this.#postpone(processor, now)
    }
    return undefined
  }

  #request(processor: Peer, now: number): void {
    this.#new.delete(processor)
    this.#postpone(processor, now)
    this.#pending.add(processor)
    void this.#ask(processor).finally(() => this.#pending.delete(processor))
  }

  /** Moves a processor to the end, so that the map stays in order. */
  #postpone(processor: Peer, now: number): void {
    this.#due.delete(processor)
    this.#due.set(processor, now + this.#intervalMs)
  }

  /** @param pauseMs 0: until the next one is due */
  #schedule(now: number, pauseMs: number): void {
    this.#timer?.cancel()
    this.#timer = null
    const [dueAt] = this.#due.values()
    if (!this.#isRunning || (pauseMs === 0 && dueAt === undefined)) return
    const delayMs = pauseMs > 0 ? pauseMs : Math.max(0, (dueAt ?? now) - now)
    this.#timer = this.#clock.schedule(delayMs, () => this.#askDue())
  }
}
