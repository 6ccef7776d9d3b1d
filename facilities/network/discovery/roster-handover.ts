import safetyCatch from 'safety-catch'
import { decodeRoster, encodeRoster } from '../../../helpers/discovery/signed-roster.js'
import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import { createRateLimit, decideRate, isRateStateOver } from '../../../helpers/limits/gcra.js'
import { rosterProtocol } from '../../../helpers/protocol/roster-protocol.js'
import type { Clock } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'
import type { Peer } from '../calls/peers.js'
import { createOrigin } from '../calls/request-context.js'
import type { Service } from '../calls/service.js'
import type { RosterKeeper } from './roster-keeper.js'

/** Rosters that one peer may fetch, or that are fetched from one peer, in a minute: up to 50 KB each. */
export const HANDOVERS_PER_MINUTE = 6
/** Peers that are counted at once: as many as may be connected. */
const MAX_COUNTED_PEERS = 1024
/** How long a peer that handed over a forged roster is not asked again. */
const ROSTER_DISTRUST_MS = 10 * 60 * 1000

/** Sends the newest roster to peers that ask for it, and asks peers for a newer one. */
export class RosterHandover {
  readonly #keeper: RosterKeeper
  readonly #clock: Clock
  readonly #random: Random
  readonly #onRefused: (error: unknown, peer: Peer) => void
  readonly #given: HandoverCounts
  readonly #taken: HandoverCounts
  /** When a peer may be asked again, in monotonic milliseconds, by key. */
  readonly #distrusted = new Map<string, number>()
  /** The keys of the peers that have not answered yet. */
  readonly #asking = new Set<string>()

  /** @param options.onRefused called when a peer handed over a roster that is not valid */
  constructor(options: {
    keeper: RosterKeeper
    clock: Clock
    random: Random
    onRefused: (error: unknown, peer: Peer) => void
  }) {
    this.#keeper = options.keeper
    this.#clock = options.clock
    this.#random = options.random
    this.#onRefused = options.onRefused
    this.#given = new HandoverCounts(options.clock)
    this.#taken = new HandoverCounts(options.clock)
  }

  /** Answers peers that ask. An answer without a roster is not counted. */
  answer(service: Service): void {
    service.unary(rosterProtocol.newest, async ({ newerThan }, { peer }) => {
      const { newest } = this.#keeper
      if (newest === null || newest.sequence <= newerThan) return {}
      const retryAfterMs = this.#given.count(keyOf(peer.publicKey))
      if (retryAfterMs !== null) {
        const message = `The roster is handed over ${HANDOVERS_PER_MINUTE} times a minute`
        throw new StarlingError('OVERLOADED', message, { retryAfterMs })
      }
      return { roster: encodeRoster(newest) }
    })
  }

  /**
   * Asks a peer for a newer roster. Does not fail: it is one of many that can be asked.
   *
   * @returns whether it had one
   */
  async ask(peer: Peer): Promise<boolean> {
    const key = keyOf(peer.identity.publicKey)
    if (this.#asking.has(key) || this.#isDistrusted(key)) return false
    if (this.#taken.count(key) !== null) return false
    this.#asking.add(key)
    try {
      const origin = createOrigin(this.#clock, this.#random)
      const body = { newerThan: this.#keeper.sequence }
      const { roster } = await peer.call(rosterProtocol.newest, body, { origin })
      return roster !== undefined && this.#keeper.offer(decodeRoster(roster))
    } catch (error) {
      if (!isStarlingError(error)) throw error
      if (error.code === 'PROTOCOL_VIOLATION') this.#distrust(key, error, peer)
      else safetyCatch(error)
      return false
    } finally {
      this.#asking.delete(key)
    }
  }

  #isDistrusted(key: string): boolean {
    const until = this.#distrusted.get(key)
    return until !== undefined && this.#clock.monotonic() < until
  }

  #distrust(key: string, error: unknown, peer: Peer): void {
    forgetFirst(this.#distrusted)
    this.#distrusted.set(key, this.#clock.monotonic() + ROSTER_DISTRUST_MS)
    this.#onRefused(error, peer)
  }
}

/** Counts handovers by key. A key is forgotten when its limit is free again. */
class HandoverCounts {
  readonly #clock: Clock
  readonly #limit = createRateLimit(HANDOVERS_PER_MINUTE, HANDOVERS_PER_MINUTE)
  readonly #states = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Counts one. @returns null, or the time until it is allowed, in milliseconds */
  count(key: string): number | null {
    const now = this.#clock.monotonic()
    for (const [known, state] of this.#states) {
      if (!isRateStateOver(state, now)) break
      this.#states.delete(known)
    }
    const decision = decideRate(this.#limit, this.#states.get(key), now)
    if (!decision.conforms) return decision.retryAfterMs
    this.#states.delete(key)
    forgetFirst(this.#states)
    this.#states.set(key, decision.theoreticalArrivalUs)
    return null
  }
}

/** Makes room for one more key. */
function forgetFirst(byKey: Map<string, number>): void {
  const [first] = byKey.keys()
  if (first !== undefined && byKey.size >= MAX_COUNTED_PEERS) byKey.delete(first)
}

function keyOf(publicKey: Uint8Array): string {
  return Buffer.from(publicKey).toString('hex')
}
