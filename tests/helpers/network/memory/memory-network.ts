import type HyperDHT from 'hyperdht'
import type { Random } from '../../../../facilities/clock/random.js'
import type { Lane, VirtualTime } from '../../clock/virtual-time.js'
import { DhtRecords } from './dht-records.js'

/** A process as the network sees it. One that is started again is another host of the same name. */
export interface MemoryHost {
  readonly name: string
  readonly address: HyperDHT.Address
  readonly lane: Lane
  /** It neither sends nor receives any more, and says so to nobody. */
  isDead: boolean
}

/** A connection between two hosts. */
export interface MemoryLink {
  readonly id: number
  readonly initiator: MemoryHost
  readonly responder: MemoryHost
  readonly openedAtMs: number
  /** The hosts whose end is still open. */
  readonly open: Set<MemoryHost>
  /** Breaks the connection: both ends learn of it. */
  cut(): void
}

/** Follows what happens in a network. */
export interface MemoryNetworkEvents {
  onOpened?(link: MemoryLink): void
  /** What was sent has reached the other end. */
  onArrived?(link: MemoryLink, from: MemoryHost, what: string): void
  /** A host has closed its end; not because the other one had. */
  onClosed?(link: MemoryLink, by: MemoryHost): void
}

/** Accepts connections to one key. */
export interface MemoryListener {
  readonly host: MemoryHost
  accept(dial: MemoryDial): MemoryLink | null
}

/** A connection that is being opened. */
export interface MemoryDial {
  readonly from: MemoryHost
  readonly stream: HyperDHT.SecretStream
  readonly keyPair: HyperDHT.KeyPair
}

/** How long things take, and how often they are lost. */
export interface MemoryWeather {
  /** One way, in milliseconds. */
  readonly leastMs: number
  readonly mostMs: number
  /** The share of packets that are lost and sent again, 0 to 1. */
  readonly lossRate: number
}

/** After a packet was lost: about what UDX waits on a short path. */
const RESEND_MS = 250

/**
 * A network in memory, in virtual time. What is sent arrives in order, after a delay that the random numbers decide.
 * Hosts on different sides of a partition do not reach each other; what they have sent arrives when it has healed,
 * as a transport that repeats it would have it.
 */
export class MemoryNetwork {
  readonly time: VirtualTime
  readonly random: Random
  readonly events: MemoryNetworkEvents
  readonly records: DhtRecords
  readonly listeners = new Map<string, MemoryListener>()
  readonly links = new Set<MemoryLink>()
  weather: MemoryWeather = { leastMs: 0.2, mostMs: 2, lossRate: 0 }
  /** Whether the DHT answers. */
  isDhtUp = true
  readonly #sides = new Map<string, number>()
  readonly #held = new Set<{ resume(): void }>()
  #links = 0

  constructor(time: VirtualTime, random: Random, events: MemoryNetworkEvents = {}) {
    this.time = time
    this.random = random
    this.events = events
    this.records = new DhtRecords(time, random)
  }

  /** The time that a packet takes from now on, in milliseconds. */
  delayMs(): number {
    const { leastMs, mostMs, lossRate } = this.weather
    let delayMs = leastMs + this.random.fraction() * (mostMs - leastMs)
    while (this.random.fraction() < lossRate) delayMs += RESEND_MS
    return delayMs
  }

  nextLinkId(): number {
    this.#links += 1
    return this.#links
  }

  /** Ends a process without a word to anybody. */
  kill(host: MemoryHost): void {
    host.isDead = true
    for (const link of this.links) {
      link.open.delete(host)
      if (link.open.size === 0) this.links.delete(link)
    }
  }

  /** Puts the hosts of these names on another side, where they reach only each other. */
  partition(names: readonly string[], side = 1): void {
    for (const name of names) this.#sides.set(name, side)
  }

  /** Ends all partitions. */
  heal(): void {
    this.#sides.clear()
    const held = [...this.#held]
    this.#held.clear()
    for (const flow of held) flow.resume()
  }

  /** Whether hosts of these names do not reach each other. The DHT is on the first side. */
  isCut(one: string, other?: string): boolean {
    const sideOf = (name?: string) => (name === undefined ? 0 : (this.#sides.get(name) ?? 0))
    return sideOf(one) !== sideOf(other)
  }

  /** Keeps what a flow carries until the partition has healed. */
  hold(flow: { resume(): void }): void {
    this.#held.add(flow)
  }
}
