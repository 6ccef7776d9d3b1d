import type { Clock } from '../../clock/clock.js'

/**
 * No connection is cut before this age. A hello takes milliseconds, but can take a hundred times as long
 * over a slow link to a busy worker.
 */
const GRACE_MS = 300

/**
 * The unverified connections of one UDP port from which on further ones are not accepted, or of one key
 * that was authenticated before. A process has one to each worker that it looks for. Also the number of
 * hellos of one UDP port that are refused in 10 s: a process that cannot be accepted, because its clock
 * is wrong or its version differs, dials a few times in that time and gets the reason each time.
 */
const MAX_PER_SOURCE = 32

/** Keys that are remembered as authenticated. The one that was authenticated longest ago is forgotten. */
const MAX_VERIFIED_KEYS = 4096

/** How long a refused hello counts against its source. */
const REFUSAL_MEMORY_MS = 10_000

/**
 * Refusals that are remembered, about 150 bytes each. One core refuses fewer hellos than this within
 * {@link REFUSAL_MEMORY_MS}, so that no source can make its own be forgotten by causing more.
 */
const MAX_REMEMBERED_REFUSALS = 16_384

/** The address of the other end of a connection. */
export interface SourceAddress {
  /** The address of the machine, or of its NAT. */
  readonly host: string
  /** The UDP port. Each process has its own. */
  readonly port: number
}

/** Where a connection comes from. */
export interface Source extends SourceAddress {
  /**
   * The public key of the other end, hexadecimal. It has the secret key, but need not belong to the
   * mesh.
   */
  readonly key: string
}

/** The place of one unverified connection. */
export interface UnverifiedPlace {
  /**
   * Its hello was refused or never came. If the connection is still open, it is only kept until the refusal
   * is delivered. Further calls do nothing.
   */
  refuse(): void
  /** It is verified: its key is remembered. Leaves its place. */
  verify(): void
  /** It is closed. Further calls do nothing. */
  leave(): void
}

/** The number of connections from one host, or from one port of a host. */
interface Count {
  connections: number
}

/** How many connections the source of a connection has. */
interface Busyness {
  readonly host: Count
  readonly port: Count
}

/** The same, and the number of connections with its key. */
interface Counts extends Busyness {
  readonly key: Count
}

interface Waiting extends UnverifiedPlace, Counts {
  readonly since: number
  /** Whether its hello has ended, or will not be waited for. */
  isDecided: boolean
  cut(): void
}

const NONE: Count = { connections: 0 }

/**
 * The accepted connections that have not finished their hello. When all places are taken, a new
 * connection replaces another one: one whose hello was already refused, otherwise the oldest of the source
 * that has most connections. Connections younger than {@link GRACE_MS} are not replaced, and a connection
 * of a busier source never replaces one of a quieter source. A source that opens many connections without
 * a hello therefore loses its own connections, not those of others.
 *
 * Sources are distinguished by host, and within a host (one machine, or one NAT) by port. The public key
 * of an unverified connection does not identify a source: anyone can generate any number of keys.
 *
 * The handshakes of a crowded source are not answered, which costs least: see {@link isCrowded}.
 */
export class UnverifiedConnections {
  readonly #clock: Clock
  readonly #most: number
  /** Oldest first. */
  readonly #waiting = new Set<Waiting>()
  readonly #refused = new Set<Waiting>()
  readonly #counts = new Map<string, Count>()
  readonly #recentRefusals: RecentRefusals
  /** In the order in which they were last authenticated. */
  readonly #verifiedKeys = new Set<string>()

  constructor(options: { clock: Clock; most: number }) {
    this.#clock = options.clock
    this.#most = options.most
    this.#recentRefusals = new RecentRefusals(options.clock)
  }

  get size(): number {
    return this.#waiting.size
  }

  /**
   * Whether {@link MAX_PER_SOURCE} connections of a source are unverified, or as many of its hellos were
   * refused recently. A key that was authenticated before is counted alone, by its unverified connections:
   * strangers who pretend to have its address do not keep it out.
   */
  isCrowded({ host, port }: SourceAddress, key: string): boolean {
    if (this.#verifiedKeys.has(key)) return this.#connectionsOf(key) >= MAX_PER_SOURCE
    const name = `${host} ${port}`
    const most = Math.max(this.#connectionsOf(name), this.#recentRefusals.count(name))
    return most >= MAX_PER_SOURCE
  }

  #connectionsOf(name: string): number {
    return this.#counts.get(name)?.connections ?? 0
  }

  /**
   * Adds a connection, replacing another one if no place is free.
   *
   * @param cut closes this connection when it is replaced
   * @returns undefined when there is no place for it
   */
  add({ host, port, key }: Source, cut: () => void): UnverifiedPlace | undefined {
    const portName = `${host} ${port}`
    const newcomer = {
      host: this.#counts.get(host) ?? NONE,
      port: this.#counts.get(portName) ?? NONE,
    }
    if (this.#waiting.size >= this.#most && !this.#cutOneFor(newcomer)) return undefined
    const waiting: Waiting = {
      since: this.#clock.monotonic(),
      host: this.#count(host),
      port: this.#count(portName),
      key: this.#count(key),
      isDecided: false,
      cut,
      refuse: () => {
        if (waiting.isDecided) return
        waiting.isDecided = true
        this.#recentRefusals.add(portName)
        if (this.#waiting.has(waiting)) this.#refused.add(waiting)
      },
      verify: () => {
        waiting.isDecided = true
        this.#remember(key)
        waiting.leave()
      },
      leave: () => {
        if (!this.#waiting.delete(waiting)) return
        this.#refused.delete(waiting)
        this.#uncount(host, waiting.host)
        this.#uncount(portName, waiting.port)
        this.#uncount(key, waiting.key)
      },
    }
    this.#waiting.add(waiting)
    return waiting
  }

  #cutOneFor(newcomer: Busyness): boolean {
    const [refused] = this.#refused
    const found = refused ?? this.#oldestOfBusiest()
    if (found === undefined || (found !== refused && isBusier(newcomer, found))) return false
    // It is not at fault when its place is needed.
    found.isDecided = true
    found.leave()
    found.cut()
    return true
  }

  #oldestOfBusiest(): Waiting | undefined {
    const before = this.#clock.monotonic() - GRACE_MS
    let found: Waiting | undefined
    for (const waiting of this.#waiting) {
      if (waiting.since > before) break
      if (found === undefined || isBusier(waiting, found)) found = waiting
    }
    return found
  }

  #remember(key: string): void {
    this.#verifiedKeys.delete(key)
    this.#verifiedKeys.add(key)
    const [oldest] = this.#verifiedKeys
    if (this.#verifiedKeys.size > MAX_VERIFIED_KEYS && oldest !== undefined) {
      this.#verifiedKeys.delete(oldest)
    }
  }

  #count(name: string): Count {
    const count = this.#counts.get(name) ?? { connections: 0 }
    this.#counts.set(name, count)
    count.connections += 1
    return count
  }

  #uncount(name: string, count: Count): void {
    count.connections -= 1
    if (count.connections === 0) this.#counts.delete(name)
  }
}

interface Refusal {
  readonly source: string
  readonly at: number
}

/** Counts the hellos of each source that were refused in the last {@link REFUSAL_MEMORY_MS}. */
class RecentRefusals {
  readonly #clock: Clock
  /** Oldest first. */
  readonly #refusals = new Set<Refusal>()
  readonly #counts = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(source: string): void {
    this.#forgetOld()
    const [oldest] = this.#refusals
    if (this.#refusals.size >= MAX_REMEMBERED_REFUSALS && oldest !== undefined) this.#forget(oldest)
    this.#refusals.add({ source, at: this.#clock.monotonic() })
    this.#counts.set(source, (this.#counts.get(source) ?? 0) + 1)
  }

  count(source: string): number {
    this.#forgetOld()
    return this.#counts.get(source) ?? 0
  }

  #forgetOld(): void {
    const before = this.#clock.monotonic() - REFUSAL_MEMORY_MS
    for (const refusal of this.#refusals) {
      if (refusal.at > before) return
      this.#forget(refusal)
    }
  }

  #forget(refusal: Refusal): void {
    this.#refusals.delete(refusal)
    const left = (this.#counts.get(refusal.source) ?? 0) - 1
    if (left > 0) this.#counts.set(refusal.source, left)
    else this.#counts.delete(refusal.source)
  }
}

function isBusier(one: Busyness, other: Busyness): boolean {
  const byHost = one.host.connections - other.host.connections
  return byHost > 0 || (byHost === 0 && one.port.connections > other.port.connections)
}
