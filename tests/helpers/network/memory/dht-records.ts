import HyperDHT from 'hyperdht'
import type { Random } from '../../../../facilities/clock/random.js'
import type { VirtualTime } from '../../clock/virtual-time.js'

/** How long a DHT node keeps an announcement. */
const ANNOUNCEMENT_MS = 20 * 60 * 1000
/** The most announcements in one reply. */
const MAX_REPLY_PEERS = 20

interface Announcement {
  readonly peer: HyperDHT.Peer
  readonly expiresAtMs: number
}

/** What the only DHT node of a network in memory stores. */
export class DhtRecords {
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #topics = new Map<string, Map<string, Announcement>>()
  readonly #mutable = new Map<string, HyperDHT.MutableRecord>()
  readonly #immutable = new Map<string, Uint8Array>()

  constructor(time: VirtualTime, random: Random) {
    this.#time = time
    this.#random = random
  }

  /** Loses everything, as when another process takes the node over. */
  clear(): void {
    this.#topics.clear()
    this.#mutable.clear()
    this.#immutable.clear()
  }

  /** Like HyperDHT, ignores new addresses of a key while the old record lives, unless it is cleared. */
  announce(topic: Uint8Array, peer: HyperDHT.Peer, clear: boolean): void {
    const announced = this.#topics.get(hex(topic)) ?? new Map<string, Announcement>()
    this.#topics.set(hex(topic), announced)
    const name = hex(peer.publicKey)
    const old = announced.get(name)
    const isKept = old !== undefined && !clear && old.expiresAtMs > this.#time.nowMs
    const expiresAtMs = this.#time.nowMs + ANNOUNCEMENT_MS
    announced.set(name, { peer: isKept ? old.peer : peer, expiresAtMs })
  }

  unannounce(topic: Uint8Array, publicKey: Uint8Array): void {
    this.#topics.get(hex(topic))?.delete(hex(publicKey))
  }

  /** As many as fit into a reply, chosen at random. */
  lookUp(topic: Uint8Array): HyperDHT.Peer[] {
    const announced = [...(this.#topics.get(hex(topic))?.values() ?? [])]
    const alive = announced.filter(({ expiresAtMs }) => expiresAtMs > this.#time.nowMs)
    while (alive.length > MAX_REPLY_PEERS) alive.splice(this.#random.below(alive.length), 1)
    return alive.map(({ peer }) => peer)
  }

  mutable(publicKey: Uint8Array, sequence: number): HyperDHT.MutableRecord | null {
    const record = this.#mutable.get(hex(publicKey))
    return record === undefined || record.seq < sequence ? null : record
  }

  /** A record with the same or a lower sequence changes nothing. */
  putMutable(publicKey: Uint8Array, record: HyperDHT.MutableRecord): void {
    const stored = this.#mutable.get(hex(publicKey))
    if (stored === undefined || stored.seq < record.seq) this.#mutable.set(hex(publicKey), record)
  }

  immutable(hash: Uint8Array): { readonly value: Uint8Array } | null {
    const value = this.#immutable.get(hex(hash))
    return value === undefined ? null : { value }
  }

  putImmutable(value: Uint8Array): void {
    this.#immutable.set(hex(HyperDHT.hash(value)), value)
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
