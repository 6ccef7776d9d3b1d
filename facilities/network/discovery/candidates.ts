import type { PeerAddress } from '../../../helpers/discovery/remembered-peers.js'
import type { ErrorCode } from '../../../helpers/errors/error-codes.js'
import type { Random } from '../../clock/random.js'
import type { OutgoingConnection } from '../connection/outgoing-connection.js'
import type { KnownPeer } from './known-peers.js'

/** The most unknown keys that are kept at once. Any DHT node that knows a topic can announce keys on it. */
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
  connection: OutgoingConnection | null
  routes: Route[]
}

/**
 * The keys that may belong to workers of one role, and which of them to dial next. Known workers are
 * dialled first. Unknown keys, which any DHT node can announce, get a part of the dials and of the
 * memory, and are chosen at random, so that no number of them keeps a worker out by being announced
 * first or often.
 */
export class Candidates {
  readonly #random: Pick<Random, 'below'>
  readonly #byKey = new Map<string, Candidate>()

  constructor(random: Pick<Random, 'below'>) {
    this.#random = random
  }

  [Symbol.iterator](): Iterator<Candidate> {
    return this.#byKey.values()
  }

  /** Replaces the known workers. */
  adopt(known: readonly KnownPeer[]): void {
    for (const candidate of this.#byKey.values()) {
      for (const route of candidate.routes) route.isKnown = false
    }
    for (const { publicKey, addresses } of known) {
      const candidate = this.#of(publicKey)
      const route = candidate.routes.find((route) => isSame(route.addresses, addresses))
      if (route === undefined) candidate.routes.push(newRoute(candidate, addresses, true))
      else route.isKnown = true
    }
    for (const [name, candidate] of this.#byKey) {
      dropOldRoutes(candidate)
      if (isKnownWorker(candidate) || candidate.isAnnounced || isInUse(candidate)) continue
      this.#byKey.delete(name)
    }
    this.#forgetUnknown(MAX_UNKNOWN)
  }

  /** Adds a key that was found on the topic. If there is no room, another unknown key is forgotten. */
  hear(publicKey: Uint8Array, addresses: readonly PeerAddress[]): void {
    const name = nameOf(publicKey)
    const found = this.#byKey.get(name)
    if (found === undefined && !this.#forgetUnknown(MAX_UNKNOWN - 1)) return
    const candidate = found ?? this.#of(publicKey)
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
  }

  /** The routes to dial now, in order. */
  due(now: number): Route[] {
    const fresh = new Group(MAX_DIALS)
    const failing = new Group(MAX_FAILING_DIALS)
    const unknown = new Group(MAX_UNKNOWN_DIALS)
    for (const candidate of this.#byKey.values()) {
      const isKnown = isKnownWorker(candidate)
      for (const route of candidate.routes) {
        const ofKnown = route.failures === 0 ? fresh : failing
        const group = isKnown ? ofKnown : unknown
        if (route.attempt !== null) group.dials += 1
        else if (candidate.connection !== null || route.retryAt > now) continue
        else if (!isAnotherRouteTried(route)) group.due.push(route)
      }
    }
    let room = MAX_DIALS - fresh.dials - failing.dials - unknown.dials
    const chosen: Route[] = []
    for (const group of [fresh, failing, unknown]) {
      this.#shuffle(group.due)
      if (group === fresh)
        group.due.sort((one, other) => Number(other.isKnown) - Number(one.isKnown))
      const taken = group.due.slice(0, Math.max(0, Math.min(room, group.most - group.dials)))
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

  /** Forgets unknown keys that are not in use until there are no more than `most`. @returns whether there are */
  #forgetUnknown(most: number): boolean {
    let unknown = 0
    const idle: string[] = []
    for (const [name, candidate] of this.#byKey) {
      if (isKnownWorker(candidate)) continue
      unknown += 1
      if (!isInUse(candidate)) idle.push(name)
    }
    for (; unknown > most && idle.length > 0; unknown -= 1) {
      const [name] = idle.splice(this.#random.below(idle.length), 1)
      if (name !== undefined) this.#byKey.delete(name)
    }
    return unknown <= most
  }

  /** Fisher and Yates, 1938. */
  #shuffle(routes: Route[]): void {
    for (let last = routes.length - 1; last > 0; last -= 1) {
      const other = this.#random.below(last + 1)
      const [one, two] = [routes[last], routes[other]]
      if (one !== undefined && two !== undefined) [routes[last], routes[other]] = [two, one]
    }
  }
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
