import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock } from '../../clock/clock.js'
import type { NetworkLimits } from './network-limit-settings.js'
import type { Member } from './peer-quota.js'

/** Refusals of one key that are answered at once: a person sees an error immediately. */
const FREE_REFUSALS = 10

/** How long it takes until one counted refusal of a key is forgotten. */
const REFUSAL_FORGOTTEN_MS = 1000

/** The most refusals of one key that are counted: after 20 s without one, all of them are forgotten. */
const MAX_COUNTED_REFUSALS = 20

/** How long the first refusal after the free ones is held. Each further one is held that much longer. */
const FIRST_HOLD_MS = 250

/** No refusal is held longer. */
const MAX_HOLD_MS = 1000

/** Keys whose refusals are counted, about 200 bytes each. The one refused longest ago is forgotten. */
const MAX_COUNTED_KEYS = 4096

/** One in this many of all calls, and of all streams, may be held. Refusals beyond it are answered at once. */
const PLACES_PER_HELD = 4

interface Counted {
  readonly refusals: number
  readonly at: number
}

/** A request that failed. */
export interface Refusal {
  readonly error: unknown
  /** Aborted when the caller does not wait for the answer any more. */
  readonly signal: AbortSignal
  /** Milliseconds for which the caller still waits; undefined if the request had no place. */
  readonly remainingMs: number | undefined
}

/**
 * Holds the answers of a client key back that repeats requests although they are refused for a limit.
 * Refusing costs this worker more than asking costs the client, so a client that never waits could occupy
 * the worker with refusals. A request keeps its place among those of its key while its answer is held, so
 * the number of places bounds how many refusals a key can cause in a second. A request that has no place is
 * not held, because its memory is not counted: reading from its connection is paused for as long instead.
 *
 * Keys of workers are exempt: a gateway passes the requests of many clients on.
 */
export class RefusalDelays {
  readonly #clock: Clock
  readonly #most: number
  /** The key that was refused last is the last one. */
  readonly #counted = new Map<string, Counted>()
  #held = 0

  constructor(clock: Clock, { maxCalls, maxStreams }: NetworkLimits) {
    this.#clock = clock
    this.#most = Math.floor(Math.min(maxCalls, maxStreams) / PLACES_PER_HELD)
  }

  /** The answers that are held now. */
  get size(): number {
    return this.#held
  }

  /**
   * Counts a refusal. Resolves when its answer may be sent: at once, unless the error is RATE_LIMITED or
   * OVERLOADED and the key was refused too often recently.
   *
   * @param pause stops reading from the connection for a number of milliseconds
   */
  async hold(
    member: Member,
    { error, signal, remainingMs }: Refusal,
    pause: (delayMs: number) => void,
  ): Promise<void> {
    if (member.isWorker || !isStarlingError(error, 'RATE_LIMITED', 'OVERLOADED')) return
    const excess = Math.max(0, this.#count(member.key) - FREE_REFUSALS)
    const delayMs = Math.min(excess * FIRST_HOLD_MS, MAX_HOLD_MS)
    if (remainingMs === undefined) {
      if (delayMs > 0) pause(delayMs)
      return
    }
    // The answer should still reach a caller that has little time left.
    const holdMs = Math.min(delayMs, remainingMs / 2)
    if (holdMs <= 0 || signal.aborted || this.#held >= this.#most) return
    this.#held += 1
    // If aborted, the caller does not wait for the answer any more.
    await this.#clock.sleep(holdMs, signal).catch(() => undefined)
    this.#held -= 1
  }

  #count(key: string): number {
    const now = this.#clock.monotonic()
    const before = this.#counted.get(key) ?? { refusals: 0, at: now }
    const left = Math.max(0, before.refusals - (now - before.at) / REFUSAL_FORGOTTEN_MS)
    const refusals = Math.min(left + 1, MAX_COUNTED_REFUSALS)
    // Inserted again, to be the last one.
    this.#counted.delete(key)
    this.#counted.set(key, { refusals, at: now })
    const [first] = this.#counted.keys()
    if (this.#counted.size > MAX_COUNTED_KEYS && first !== undefined) this.#counted.delete(first)
    return refusals
  }
}
