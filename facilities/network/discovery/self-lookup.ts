import type HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock, Timer } from '../../clock/clock.js'
import { repeat } from '../../clock/repeat.js'

/** Lookups in a row that did not return this worker, after which it is reported. */
const MISSES_BEFORE_REPORT = 3
/** Announcements between two lookups while the worker is found. */
const ANNOUNCEMENTS_PER_LOOKUP = 5
/** A DHT node returns at most this many announcements, chosen at random. */
const MAX_REPLY_PEERS = 20

/**
 * Looks this worker up as others do, after it was announced. A node that answers is not enough: it may
 * be foreign and store nothing.
 */
export class SelfLookup extends ReadyResource {
  readonly #dht: HyperDHT
  readonly #topic: Uint8Array
  readonly #publicKey: Uint8Array
  readonly #bootstrap: string
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #onChanged: (failure: StarlingError | null) => void
  #isFound = false
  #misses = 0
  #failure: StarlingError | null = null
  #timer: Timer | null = null
  #query: { destroy(): void } | null = null

  /**
   * @param options.bootstrap the node that is asked, as messages name it: its host and port
   * @param options.intervalMs between two announcements
   * @param options.onChanged called when the worker is not found any more, and with null when it is again
   */
  constructor(options: {
    dht: HyperDHT
    topic: Uint8Array
    publicKey: Uint8Array
    bootstrap: string
    clock: Clock
    intervalMs: number
    onChanged: (failure: StarlingError | null) => void
  }) {
    super()
    this.#dht = options.dht
    this.#topic = options.topic
    this.#publicKey = options.publicKey
    this.#bootstrap = options.bootstrap
    this.#clock = options.clock
    this.#intervalMs = options.intervalMs
    this.#onChanged = options.onChanged
  }

  /** Why others cannot find this worker; null if they can, or if that is not known yet. */
  get failure(): StarlingError | null {
    return this.#failure
  }

  protected override async _open(): Promise<void> {
    void this.#lookUp()
    const pauseMs = () => this.#intervalMs * (this.#isFound ? ANNOUNCEMENTS_PER_LOOKUP : 1)
    this.#timer = repeat(this.#clock, pauseMs, () => this.#lookUp())
  }

  protected override async _close(): Promise<void> {
    this.#timer?.cancel()
    this.#query?.destroy()
  }

  async #lookUp(): Promise<void> {
    const isFound = await this.#find()
    if (this.closing) return
    this.#isFound = isFound
    this.#misses = isFound ? 0 : this.#misses + 1
    if (isFound && this.#failure !== null) this.#report(null)
    if (this.#misses >= MISSES_BEFORE_REPORT && this.#failure === null) {
      this.#report(
        new StarlingError(
          'NOT_DISCOVERABLE',
          `This worker is not discoverable: the node at ${this.#bootstrap} does not return its announcement`,
        ),
      )
    }
  }

  #report(failure: StarlingError | null): void {
    this.#failure = failure
    this.#onChanged(failure)
  }

  async #find(): Promise<boolean> {
    try {
      const found = await this.#onTopic()
      // Among many others it may be missing by chance; no other worker is announced by its key.
      return found === 'crowded' ? await this.#byKey() : found === 'found'
    } catch (error) {
      // No node answers.
      safetyCatch(error)
      return false
    }
  }

  async #onTopic(): Promise<'found' | 'missing' | 'crowded'> {
    const query = this.#dht.lookup(this.#topic)
    this.#query = query
    let isCrowded = false
    for await (const { peers } of query) {
      if (peers.some(({ publicKey }) => Buffer.compare(publicKey, this.#publicKey) === 0)) {
        query.destroy()
        return 'found'
      }
      isCrowded ||= peers.length >= MAX_REPLY_PEERS
    }
    return isCrowded ? 'crowded' : 'missing'
  }

  async #byKey(): Promise<boolean> {
    const query = this.#dht.findPeer(this.#publicKey)
    this.#query = query
    for await (const { peer } of query) {
      if (Buffer.compare(peer.publicKey, this.#publicKey) !== 0) continue
      query.destroy()
      return true
    }
    return false
  }
}
