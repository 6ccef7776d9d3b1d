import type HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import {
  HOPELESS_FAILURES,
  LOST_RETRY_MS,
  redialDelayMs,
} from '../../../helpers/discovery/dial-policy.js'
import type { PeerAddress } from '../../../helpers/discovery/remembered-peers.js'
import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Role } from '../../../helpers/identity/roles.js'
import type { Clock, Timer } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'
import { repeat } from '../../clock/repeat.js'
import type { PeerSearch, UnreachedPeer } from '../calls/peers.js'
import type { MeshEndpoint } from '../connection/mesh-endpoint.js'
import type { OutgoingConnection } from '../connection/outgoing-connection.js'
import { type Attempt, Candidates, isKnownWorker, type Route } from './candidates.js'
import type { KnownPeers, PeerEntry } from './known-peers.js'

/**
 * A dial to an unknown key is aborted if no MAC has arrived by then. With a running worker it takes
 * milliseconds, or a few hundred over a slow link.
 */
const UNKNOWN_DIAL_TIMEOUT_MS = 1_500

/**
 * The workers of one role, found and kept connected. Known workers are dialled first, at the addresses that are
 * remembered, so that neither a silent DHT nor strangers on the topic keep them away. Every few seconds the
 * topic of the role is looked up, and the keys found there are dialled within bounds: see {@link Candidates}.
 * This worker may have the same role: it is neither dialled nor listed.
 *
 * Emits `connected` and `lost` with the connection.
 */
export class RolePeers extends ReadyResource implements PeerSearch {
  readonly role: Role
  readonly #dht: HyperDHT
  readonly #node: MeshEndpoint
  readonly #known: KnownPeers
  readonly #topic: Uint8Array
  readonly #clock: Clock
  readonly #random: Random
  readonly #intervalMs: number
  readonly #dialable: (addresses: readonly PeerAddress[]) => readonly PeerAddress[]
  readonly #onDialFailed: (error: unknown, publicKey: Uint8Array) => void
  readonly #candidates: Candidates
  /** Routes that are being dialled. */
  readonly #dialled = new Set<Route>()
  readonly #onKnown = (changed?: readonly PeerEntry[]) => {
    if (changed === undefined) this.#candidates.adopt(this.#known.known(this.role))
    for (const { role, publicKey } of changed ?? []) {
      if (role === this.role) this.#candidates.know(publicKey, this.#known.knownAs(role, publicKey))
    }
    this.#dialDue()
  }
  #timers: Timer[] = []
  readonly #redials = new Set<Timer>()
  #query: HyperDHT.Query | null = null
  #lookups = 0

  /**
   * @param options.self the key of this worker
   * @param options.dialable the addresses at which a peer is dialled, of those at which it was seen. Default: all.
   */
  constructor(options: {
    role: Role
    self: Uint8Array
    topic: Uint8Array
    dht: HyperDHT
    node: MeshEndpoint
    known: KnownPeers
    clock: Clock
    random: Random
    intervalMs: number
    dialable?: (addresses: readonly PeerAddress[]) => readonly PeerAddress[]
    onDialFailed?: (error: unknown, publicKey: Uint8Array) => void
  }) {
    super()
    this.role = options.role
    this.#topic = options.topic
    this.#dht = options.dht
    this.#node = options.node
    this.#known = options.known
    this.#clock = options.clock
    this.#random = options.random
    this.#intervalMs = options.intervalMs
    this.#dialable = options.dialable ?? ((addresses) => addresses)
    this.#onDialFailed = options.onDialFailed ?? (() => undefined)
    this.#candidates = new Candidates(options.random, options.self)
  }

  /** The open connections to workers of the role. */
  get connections(): OutgoingConnection[] {
    return this.#candidates.connections.filter(({ isOpen }) => isOpen)
  }

  /** The keys that are announced and not connected. They are not authenticated: only for messages. */
  get unreached(): UnreachedPeer[] {
    return [...this.#candidates]
      .filter(({ connection, isAnnounced }) => isAnnounced && !connection?.isOpen)
      .map(({ publicKey, failure: code }) => ({ publicKey, code }))
  }

  /**
   * Resolves when the topic has been looked up once and none of the keys found is being dialled. A dial
   * to a worker that is only remembered is not awaited once it takes longer than a dial to a running
   * worker.
   */
  async surveyed(): Promise<void> {
    while (!this.#isSurveyed()) {
      await new Promise((resolve) => this.once('surveyed', resolve))
    }
  }

  protected override async _open(): Promise<void> {
    this.#known.on('changed', this.#onKnown)
    this.#onKnown()
    // The first lookup is not awaited: a worker whose DHT is silent is as ready as it can be.
    void this.#lookUp()
    this.#timers = [
      repeat(this.#clock, this.#intervalMs, () => this.#lookUp()),
      // A lookup in a silent DHT takes seconds; known peers must not wait for it.
      repeat(this.#clock, this.#intervalMs, () => this.#dialDue()),
    ]
  }

  protected override async _close(): Promise<void> {
    this.#known.off('changed', this.#onKnown)
    for (const timer of [...this.#timers, ...this.#redials]) timer.cancel()
    this.#query?.destroy()
    for (const { connection, routes } of this.#candidates) {
      for (const { attempt } of routes) attempt?.cancel.abort()
      connection?.destroy()
    }
  }

  async #lookUp(): Promise<void> {
    try {
      this.#query = this.#dht.lookup(this.#topic)
      for await (const reply of this.#query) {
        for (const { publicKey, relayAddresses } of reply.peers) {
          this.#candidates.hear(publicKey, relayAddresses)
        }
        this.#dialDue()
      }
    } catch (error) {
      // The bootstrap node may be just being replaced: the next lookup finds the new one.
      safetyCatch(error)
    }
    this.#lookups += 1
    this.#noteSurvey()
  }

  #isSurveyed(): boolean {
    const isWaitedFor = ({ candidate, attempt }: Route) =>
      candidate.isAnnounced || attempt?.isSlow === false
    return this.#lookups > 0 && ![...this.#dialled].some(isWaitedFor)
  }

  #noteSurvey(): void {
    if (this.#isSurveyed()) this.emit('surveyed')
  }

  #dialDue(): void {
    if (this.closing) return
    for (const route of this.#candidates.due(this.#clock.monotonic())) void this.#dial(route)
  }

  async #dial(route: Route): Promise<void> {
    const { candidate, addresses } = route
    const { publicKey } = candidate
    const attempt: Attempt = {
      cancel: new AbortController(),
      isMember: undefined,
      isSlow: false,
      isTimedOut: false,
    }
    route.attempt = attempt
    this.#dialled.add(route)
    const slow = this.#clock.schedule(UNKNOWN_DIAL_TIMEOUT_MS, () => {
      attempt.isSlow = true
      this.#noteSurvey()
      const hasTime = route.isKnown && route.failures < HOPELESS_FAILURES
      if (hasTime || attempt.isMember) return
      attempt.isTimedOut = true
      attempt.cancel.abort()
    })
    const { signal } = attempt.cancel
    try {
      const connection = await this.#node.dial(
        publicKey,
        this.#dialable(addresses),
        signal,
        (isMember) => {
          attempt.isMember = isMember
        },
      )
      this.#connect(route, connection)
    } catch (error) {
      // A dial that was aborted for another reason than its timeout has not failed.
      if (signal.aborted && !attempt.isTimedOut) return
      this.#fail(route, attempt, error)
    } finally {
      slow.cancel()
      route.attempt = null
      this.#dialled.delete(route)
      this.#dialDue()
      this.#noteSurvey()
    }
  }

  #connect(route: Route, connection: OutgoingConnection): void {
    const { candidate } = route
    if (this.closing || candidate.connection !== null) {
      connection.destroy()
      return
    }
    if (!connection.identity.certificate.roles.includes(this.role)) {
      connection.destroy()
      this.#redialLater(route, new StarlingError('FORBIDDEN', 'It has another role'), false)
      return
    }
    const retryAt = this.#clock.monotonic() + LOST_RETRY_MS
    for (const one of candidate.routes) {
      one.retryAt = Math.max(one.retryAt, retryAt)
      if (one !== route) one.attempt?.cancel.abort()
    }
    route.failures = 0
    route.isStranger = false
    candidate.failure = null
    this.#candidates.connect(candidate, connection)
    const addresses = [...connection.remoteAddress, ...route.addresses]
    const learn = () => {
      const { publicKey } = candidate
      this.#known.learn([{ role: this.role, publicKey, addresses }], 'proved')
    }
    learn()
    void connection.closed.then(() => {
      this.#candidates.disconnect(candidate)
      this.emit('lost', connection)
      // It was reachable until now.
      learn()
    })
    this.emit('connected', connection)
  }

  #fail(route: Route, attempt: Attempt, error: unknown): void {
    const wasSilent = attempt.isTimedOut && isStarlingError(error, 'HELLO_FAILED')
    const isStranger = attempt.isMember === false || (attempt.isMember === undefined && wasSilent)
    this.#redialLater(route, error, isStranger)
    this.#onDialFailed(error, route.candidate.publicKey)
  }

  #redialLater(route: Route, error: unknown, isStranger: boolean): void {
    const { candidate, failures } = route
    const code = isStarlingError(error) ? error.code : 'INTERNAL'
    const retryAfterMs = isStarlingError(error) ? error.retryAfterMs : undefined
    const failure = { code, retryAfterMs, isStranger, failures, isKnown: isKnownWorker(candidate) }
    const delayMs = redialDelayMs(failure, this.#random.fraction())
    candidate.failure = code
    route.isStranger = isStranger
    route.failures += 1
    route.retryAt = this.#clock.monotonic() + delayMs
    if (this.closing) return
    const timer = this.#clock.schedule(delayMs, () => {
      this.#redials.delete(timer)
      this.#dialDue()
    })
    this.#redials.add(timer)
  }
}
