import type { PeerAddress } from '../../../helpers/discovery/remembered-peers.js'
import type { ErrorCode } from '../../../helpers/errors/error-codes.js'
import type { Random } from '../../clock/random.js'
import type { OutgoingConnection } from '../connection/outgoing-connection.js'
import type { KnownPeer } from './known-peers.js'

/**
 * The most unknown keys that are kept at once, apart from those that are connected. Any DHT node that knows a topic
 * can announce keys on it.
 */
const MAX_UNKNOWN = 256
/** Dials at the same time: each holds a handshake at both ends. */
const MAX_DIALS = 16
/** How many of them may go to known workers whose last dial failed: they may be gone for good. */
const MAX_FAILING_DIALS = 8
/** How many of them may go to unknown keys. */
const MAX_UNKNOWN_DIALS = 8

/** A dial that is in progress. */
export interface Attempt {
  /** Aborts it. */
  readonly cancel: AbortController
  /** Undefined until the MAC of the other end has arrived. */
  isMember: boolean | undefined
  /** It has taken longer than a dial to a running worker takes. */
  isSlow: boolean
  /** It was aborted because no MAC had arrived. */
  isTimedOut: boolean
}

/** Addresses at which a candidate may be, with the result of the dials there. */
export interface Route {
  readonly candidate: Candidate
  readonly addresses: readonly PeerAddress[]
  /**
   * The worker was authenticated there, or is on the roster, which names no addresses. Otherwise they were found on the
   * topic.
   */
  isKnown: boolean
  /** Not to be dialled before this time, monotonic milliseconds. */
  retryAt: number
  /** Dials that failed since the last that did not. */
  failures: number
  /** The last dial reached a peer that does not know the mesh secret. */
  isStranger: boolean
  attempt: Attempt | null
}

/** A key that may belong to a worker of the role. */
export interface Candidate {
  readonly publicKey: Uint8Array
  /** It was found on the topic. */
  isAnnounced: boolean
  /** What the last dial failed with; null if it did not fail. */
  failure: ErrorCode | null
  /** Set by {@link Candidates.connect} and {@link Candidates.disconnect}. */
  connection: OutgoingConnection | null
  routes: Route[]
}

/**
 * The keys that may belong to workers of one role, and which of them to dial next. Known workers are
 * dialled first. Unknown keys, which any DHT node can announce, get a part of the dials and of the
 * memory, and are chosen at random, so that no number of them keeps a worker out by being announced
 * first or often. The number of known and of connected workers has no limit here.
 */
export class Candidates {
  readonly #random: Pick<Random, 'below'>
  readonly #own: string | undefined
  readonly #byKey = new Map<string, Candidate>()
  readonly #connected = new Set<Candidate>()
  /** All others. */
  readonly #unconnected = new Set<Candidate>()
  /** Those of the others that are not known. */
  readonly #unknown = new Set<Candidate>()

  /** @param own the key of this worker, which is no candidate. Default: none */
  constructor(random: Pick<Random, 'below'>, own?: Uint8Array) {
    this.#random = random
    this.#own = own && nameOf(own)
  }

  [Symbol.iterator](): Iterator<Candidate> {
    return this.#byKey.values()
  }

  /** The connections that have not been reported as lost. */
  get connections(): OutgoingConnection[] {
    return [...this.#connected].flatMap(({ connection }) => connection ?? [])
  }

  /** Replaces all known workers. */
  adopt(known: readonly KnownPeer[]): void {
    const byKey = new Map<string, KnownPeer[]>()
    for (const peer of known) {
      const name = nameOf(peer.publicKey)
      const same = byKey.get(name)
      if (same === undefined) byKey.set(name, [peer])
      else same.push(peer)
    }
    for (const [name, { publicKey }] of this.#byKey) {
      if (!byKey.has(name)) this.know(publicKey, [])
    }
    for (const [first, ...others] of byKey.values()) {
      if (first !== undefined) this.know(first.publicKey, [first, ...others])
    }
  }

  /** Replaces what is known of one worker. */
  know(publicKey: Uint8Array, known: readonly KnownPeer[]): void {
    const name = nameOf(publicKey)
    if (name === this.#own || (known.length === 0 && !this.#byKey.has(name))) return
    const candidate = this.#of(publicKey)
    for (const route of candidate.routes) route.isKnown = false
    for (const { addresses } of known) {
      const route = candidate.routes.find((route) => isSame(route.addresses, addresses))
      if (route === undefined) candidate.routes.push(newRoute(candidate, addresses, true))
      else route.isKnown = true
    }
    dropOldRoutes(candidate)
    this.#sort(candidate)
    this.#forgetUnknown(MAX_UNKNOWN)
  }

  /** Adds a key that was found on the topic. If there is no room, another unknown key is forgotten. */
  hear(publicKey: Uint8Array, addresses: readonly PeerAddress[]): void {
    const name = nameOf(publicKey)
    if (name === this.#own) return
    if (!this.#byKey.has(name) && !this.#forgetUnknown(MAX_UNKNOWN - 1)) return
    const candidate = this.#of(publicKey)
    candidate.isAnnounced = true
    if (candidate.routes.some((route) => covers(route.addresses, addresses))) return
    const old = candidate.routes.find(({ isKnown }) => !isKnown)
    const route = newRoute(candidate, addresses, false)
    if (old !== undefined) {
      old.attempt?.cancel.abort()
      // Another address does not turn a stranger into a member.
      if (old.isStranger) {
        route.isStranger = true
        route.failures = old.failures
        route.retryAt = old.retryAt
      }
    }
    candidate.routes = [...candidate.routes.filter((one) => one !== old), route]
    this.#sort(candidate)
  }

  /** A candidate is connected: it is not dialled any more. */
  connect(candidate: Candidate, connection: OutgoingConnection): void {
    candidate.connection = connection
    this.#sort(candidate)
  }

  /** The connection of a candidate has ended. */
  disconnect(candidate: Candidate): void {
    candidate.connection = null
    this.#sort(candidate)
    this.#forgetUnknown(MAX_UNKNOWN)
  }

  /** The routes to dial now, in order. */
  due(now: number): Route[] {
    const fresh = new Group(MAX_DIALS)
    // Addresses from the topic, at which a known worker was not authenticated yet.
    const moved = new Group(MAX_DIALS)
    const failing = new Group(MAX_FAILING_DIALS)
    const unknown = new Group(MAX_UNKNOWN_DIALS)
    for (const candidate of this.#unconnected) {
      const isKnown = isKnownWorker(candidate)
      for (const route of candidate.routes) {
        const ofKnown = route.failures > 0 ? failing : route.isKnown ? fresh : moved
        const group = isKnown ? ofKnown : unknown
        if (route.attempt !== null) group.dials += 1
        else if (route.retryAt <= now && !isAnotherRouteTried(route)) group.due.push(route)
      }
    }
    const groups = [fresh, moved, failing, unknown]
    let room = groups.reduce((left, { dials }) => left - dials, MAX_DIALS)
    const chosen: Route[] = []
    for (const group of groups) {
      const taken = this.#draw(group.due, Math.min(room, group.most - group.dials))
      room -= taken.length
      chosen.push(...taken)
    }
    return chosen
  }

  #of(publicKey: Uint8Array): Candidate {
    const name = nameOf(publicKey)
    const found = this.#byKey.get(name)
    if (found !== undefined) return found
    const candidate = {
      publicKey,
      isAnnounced: false,
      failure: null,
      connection: null,
      routes: [],
    }
    this.#byKey.set(name, candidate)
    return candidate
  }

  /** Puts a candidate into its sets, and forgets it if it is neither known, announced nor in use any more. */
  #sort(candidate: Candidate): void {
    const isConnected = candidate.connection !== null
    const isKnown = isKnownWorker(candidate)
    if (!isKnown && !candidate.isAnnounced && !isInUse(candidate)) {
      this.#forget(candidate)
      return
    }
    put(this.#connected, candidate, isConnected)
    put(this.#unconnected, candidate, !isConnected)
    put(this.#unknown, candidate, !isConnected && !isKnown)
  }

  #forget(candidate: Candidate): void {
    this.#byKey.delete(nameOf(candidate.publicKey))
    for (const set of [this.#connected, this.#unconnected, this.#unknown]) set.delete(candidate)
  }

  /** Forgets unknown keys that are not in use until there are no more than `most`. @returns whether there are */
  #forgetUnknown(most: number): boolean {
    if (this.#unknown.size <= most) return true
    const idle = [...this.#unknown].filter((candidate) => !isInUse(candidate))
    while (this.#unknown.size > most && idle.length > 0) {
      const [candidate] = idle.splice(this.#random.below(idle.length), 1)
      if (candidate !== undefined) this.#forget(candidate)
    }
    return this.#unknown.size <= most
  }

  /** So many of the routes, in random order: the first steps of the shuffle of Fisher and Yates, 1938. */
  #draw(routes: Route[], count: number): Route[] {
    const drawn = Math.max(0, Math.min(count, routes.length))
    for (let next = 0; next < drawn; next += 1) {
      const other = next + this.#random.below(routes.length - next)
      const [one, two] = [routes[next], routes[other]]
      if (one !== undefined && two !== undefined) [routes[next], routes[other]] = [two, one]
    }
    return routes.slice(0, drawn)
  }
}

function put(set: Set<Candidate>, candidate: Candidate, belongs: boolean): void {
  if (belongs) set.add(candidate)
  else set.delete(candidate)
}

/** Routes that share a part of the dials. */
class Group {
  readonly most: number
  readonly due: Route[] = []
  /** In progress. */
  dials = 0

  constructor(most: number) {
    this.most = most
  }
}

function newRoute(
  candidate: Candidate,
  addresses: readonly PeerAddress[],
  isKnown: boolean,
): Route {
  return {
    candidate,
    addresses,
    isKnown,
    retryAt: 0,
    failures: 0,
    isStranger: false,
    attempt: null,
  }
}

/**
 * Whether a route waits for another one. A route without addresses comes from the roster: the DHT is
 * asked for the key. It is not tried beside addresses of the same worker, which would be two dials to
 * the same worker.
 */
function isAnotherRouteTried({ candidate, addresses }: Route): boolean {
  return candidate.routes.some((other) => {
    if (addresses.length === 0) return other.addresses.length > 0 && other.failures === 0
    return other.addresses.length === 0 && other.attempt !== null && !other.attempt.isSlow
  })
}

/** Of the routes that are not known any more, the last one that was found on the topic is kept. */
function dropOldRoutes(candidate: Candidate): void {
  const known = candidate.routes.filter(({ isKnown }) => isKnown)
  const found = candidate.routes
    .filter(({ isKnown, addresses }) => {
      return !isKnown && !known.some((route) => covers(route.addresses, addresses))
    })
    .slice(-1)
  candidate.routes = [...known, ...found]
}

/** Whether the candidate is a known worker. It may have moved to where it was found on the topic. */
export function isKnownWorker({ routes }: Candidate): boolean {
  return routes.some(({ isKnown }) => isKnown)
}

function isInUse({ connection, routes }: Candidate): boolean {
  return connection !== null || routes.some(({ attempt }) => attempt !== null)
}

function nameOf(publicKey: Uint8Array): string {
  return Buffer.from(publicKey).toString('hex')
}

function covers(one: readonly PeerAddress[], other: readonly PeerAddress[]): boolean {
  return other.every(({ host, port }) =>
    one.some((address) => address.host === host && address.port === port),
  )
}

function isSame(one: readonly PeerAddress[], other: readonly PeerAddress[]): boolean {
  return covers(one, other) && covers(other, one)
}
