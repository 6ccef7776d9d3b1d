import ReadyResource from 'ready-resource'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import { rosterProtocol } from '../../../helpers/protocol/roster-protocol.js'
import type { Clock, Timer } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'
import { repeat } from '../../clock/repeat.js'
import type { Peer, Peers } from '../calls/peers.js'
import { createOrigin } from '../calls/request-context.js'

/** Between two calls, on average. An entry that is not renewed for days is removed. */
const ENLISTMENT_MS = 10 * 60 * 1000
/** After a call that failed, on average. */
const RETRY_MS = 30_000

/**
 * Has this worker listed in the roster: tells each auth worker that is connected, at once and every ten
 * minutes. Auth takes what it lists from the certificate of the connection.
 */
export class Enlistment extends ReadyResource {
  readonly #auth: Peers
  readonly #clock: Clock
  readonly #random: Random
  readonly #onSequence: (sequence: number, auth: Peer) => void
  readonly #onConnected = (peer: Peer) => void this.#enlist([peer])
  #isListed = false
  #timer: Timer | null = null

  /** @param options.onSequence gets the sequence of the roster that an auth worker has */
  constructor(options: {
    auth: Peers
    clock: Clock
    random: Random
    onSequence: (sequence: number, auth: Peer) => void
  }) {
    super()
    this.#auth = options.auth
    this.#clock = options.clock
    this.#random = options.random
    this.#onSequence = options.onSequence
  }

  protected override async _open(): Promise<void> {
    this.#auth.on('connected', this.#onConnected)
    const pauseMs = () => {
      const averageMs = this.#isListed ? ENLISTMENT_MS : RETRY_MS
      return averageMs * (0.75 + this.#random.fraction() / 2)
    }
    this.#timer = repeat(this.#clock, pauseMs, () => this.#enlist(this.#auth.connections))
  }

  protected override async _close(): Promise<void> {
    this.#auth.off('connected', this.#onConnected)
    this.#timer?.cancel()
  }

  async #enlist(peers: readonly Peer[]): Promise<void> {
    for (const peer of peers) {
      try {
        const origin = createOrigin(this.#clock, this.#random)
        const { sequence } = await peer.call(rosterProtocol.enlist, {}, { origin })
        this.#isListed = true
        this.#onSequence(sequence, peer)
      } catch (error) {
        if (!isStarlingError(error)) throw error
        this.#isListed = false
      }
    }
  }
}
