import type HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import type { ErrorCode } from '../../helpers/errors/error-codes.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { Role } from '../../helpers/identity/roles.js'
import type { Clock, Timer } from '../clock/clock.js'
import type { Random } from '../clock/random.js'
import { repeat } from '../clock/repeat.js'
import type { MeshNode } from './mesh-node.js'
import type { PeerConnection } from './peer-connection.js'
import { sameAddresses } from './same-addresses.js'

/** Keys remembered at once. A topic is open to anybody who knows it, so the list has an end. */
const MAX_CANDIDATES = 256
/** Dials under way at once: each holds a handshake at both ends. */
const MAX_DIALS = 16
/** Before an address that did not answer is dialled again, on average; doubled for each further time. */
const UNREACHABLE_RETRY_MS = 1_000
/** The most of that. A worker that was restarted shows another address and is dialled at once. */
const MOST_UNREACHABLE_RETRY_MS = 15_000
/** Dials that failed in a row after which even a worker that had proved itself may be forgotten. */
const HOPELESS_FAILURES = 10
/** Between two dials of somebody who did not prove to belong here. */
const REFUSED_RETRY_MS = 30_000

/** Somebody who was seen on the topic, proved or not. */
interface Candidate {
  readonly publicKey: Uint8Array
  addresses: readonly HyperDHT.Address[]
  /** Not to be dialled before this time, monotonic milliseconds. */
  retryAt: number
  /** Gives up the dial that is under way. */
  dialling: AbortController | null
  /** It has proved to belong here and to act in the role. */
  proved: boolean
  /** What the last dial failed with; null when it did not. */
  failure: ErrorCode | null
  /** Dials that failed since the last that did not. */
  failures: number
  connection: PeerConnection | null
}

/** Somebody who is announced as a worker of the role and is not connected. */
export interface UnreachedPeer {
  readonly publicKey: Uint8Array
  /** What the last dial failed with; null when none has failed yet. */
  readonly code: ErrorCode | null
}

/**
 * The workers of one role, found and kept connected. Looks the role's topic up every few seconds,
 * dials whoever it finds, and dials again whoever was lost: first those that have proved themselves
 * before, at the address where they were last, so that a silent DHT costs a running mesh nothing.
 *
 * Emits `connected` and `lost` with the connection.
 */
export class RolePeers extends ReadyResource {
  readonly role: Role
  readonly #dht: HyperDHT
  readonly #node: MeshNode
  readonly #topic: Uint8Array
  readonly #clock: Clock
  readonly #random: Random
  readonly #intervalMs: number
  readonly #onDialFailed: (error: unknown, publicKey: Uint8Array) => void
  readonly #candidates = new Map<string, Candidate>()
  #timers: Timer[] = []
  readonly #redials = new Set<Timer>()
  #query: HyperDHT.Query | null = null
  #dials = 0
  #looks = 0

  constructor(options: {
    role: Role
    topic: Uint8Array
    dht: HyperDHT
    node: MeshNode
    clock: Clock
    random: Random
    intervalMs: number
    onDialFailed?: (error: unknown, publicKey: Uint8Array) => void
  }) {
    super()
    this.role = options.role
    this.#topic = options.topic
    this.#dht = options.dht
    this.#node = options.node
    this.#clock = options.clock
    this.#random = options.random
    this.#intervalMs = options.intervalMs
    this.#onDialFailed = options.onDialFailed ?? (() => undefined)
  }

  /** The open connections to proved workers of the role. */
  get connections(): PeerConnection[] {
    const open: PeerConnection[] = []
    for (const { connection } of this.#candidates.values()) {
      if (connection?.isOpen) open.push(connection)
    }
    return open
  }

  /** Whoever is announced and not connected: not to be trusted, but to be told of. */
  get unreached(): UnreachedPeer[] {
    return [...this.#candidates.values()]
      .filter(({ connection }) => !connection?.isOpen)
      .map(({ publicKey, failure: code }) => ({ publicKey, code }))
  }

  /** Resolves when the topic was looked at once and nobody found there is still being dialled. */
  async surveyed(): Promise<void> {
    while (this.#looks === 0 || this.#dials > 0) {
      await new Promise((resolve) => this.once('surveyed', resolve))
    }
  }

  protected override async _open(): Promise<void> {
    // The first look is not awaited: a worker whose DHT is silent is as ready as it can be.
    void this.#look()
    this.#timers = [
      repeat(this.#clock, this.#intervalMs, () => this.#look()),
      // A look at a silent DHT takes seconds; known peers are not to wait for it.
      repeat(this.#clock, this.#intervalMs, () => this.#dialWhoIsDue()),
    ]
  }

  protected override async _close(): Promise<void> {
    for (const timer of [...this.#timers, ...this.#redials]) timer.cancel()
    this.#query?.destroy()
    for (const { connection, dialling } of this.#candidates.values()) {
      dialling?.abort()
      connection?.destroy()
    }
  }

  async #look(): Promise<void> {
    try {
      this.#query = this.#dht.lookup(this.#topic)
      for await (const reply of this.#query) {
        for (const peer of reply.peers) this.#note(peer)
        this.#dialWhoIsDue()
      }
    } catch (error) {
      // The bootstrap node is away for a moment: the next look finds it, or its successor.
      safetyCatch(error)
    }
    this.#looks += 1
    this.#noteSurvey()
  }

  #noteSurvey(): void {
    if (this.#looks > 0 && this.#dials === 0) this.emit('surveyed')
  }

  #note(peer: HyperDHT.Peer): void {
    const key = Buffer.from(peer.publicKey).toString('hex')
    const known = this.#candidates.get(key)
    if (known === undefined) {
      if (this.#candidates.size >= MAX_CANDIDATES && !this.#forgetOne()) return
      this.#candidates.set(key, {
        publicKey: peer.publicKey,
        addresses: peer.relayAddresses,
        retryAt: 0,
        dialling: null,
        proved: false,
        failure: null,
        failures: 0,
        connection: null,
      })
    } else if (!sameAddresses(known.addresses, peer.relayAddresses)) {
      // It was restarted: what was known of its old address says nothing of the new one.
      known.addresses = peer.relayAddresses
      known.retryAt = 0
      known.failures = 0
      known.dialling?.abort()
    }
  }

  /** Makes room for a newcomer at the cost of somebody who never proved anything. */
  #forgetOne(): boolean {
    for (const [key, candidate] of this.#candidates) {
      if (candidate.dialling || candidate.connection) continue
      if (candidate.proved && candidate.failures < HOPELESS_FAILURES) continue
      this.#candidates.delete(key)
      return true
    }
    return false
  }

  #dialWhoIsDue(): void {
    const now = this.#clock.monotonic()
    const due = [...this.#candidates.values()]
      .filter(({ connection, dialling, retryAt }) => !connection && !dialling && retryAt <= now)
      .sort((a, b) => Number(isKnownGood(b)) - Number(isKnownGood(a)) || a.retryAt - b.retryAt)
    for (const candidate of due) {
      if (this.#dials >= MAX_DIALS || this.closing) return
      void this.#dial(candidate)
    }
  }

  async #dial(candidate: Candidate): Promise<void> {
    this.#dials += 1
    const attempt = new AbortController()
    candidate.dialling = attempt
    const { publicKey, addresses } = candidate
    try {
      const connection = await this.#node.dial(publicKey, addresses, attempt.signal)
      if (this.closing || !connection.peer.certificate.roles.includes(this.role)) {
        connection.destroy()
        candidate.failure = 'FORBIDDEN'
        candidate.retryAt = this.#clock.monotonic() + REFUSED_RETRY_MS
        return
      }
      candidate.proved = true
      candidate.failure = null
      candidate.failures = 0
      candidate.retryAt = this.#clock.monotonic() + UNREACHABLE_RETRY_MS
      candidate.connection = connection
      void connection.closed.then(() => this.#lose(candidate, connection))
      this.emit('connected', connection)
    } catch (error) {
      if (attempt.signal.aborted) return
      candidate.failure = isStarlingError(error) ? error.code : 'INTERNAL'
      this.#redialLater(candidate, error)
      this.#onDialFailed(error, publicKey)
    } finally {
      candidate.dialling = null
      this.#dials -= 1
      this.#dialWhoIsDue()
      this.#noteSurvey()
    }
  }

  /**
   * Schedules the next dial. The delay is random, so that peers that were cut at the same time do not all
   * dial again at the same time.
   */
  #redialLater(candidate: Candidate, error: unknown): void {
    const unreachableMs = UNREACHABLE_RETRY_MS * 2 ** candidate.failures
    candidate.failures += 1
    const delayMs = isStarlingError(error, 'PEER_UNREACHABLE', 'HELLO_FAILED', 'OVERLOADED')
      ? Math.max(
          Math.min(error.retryAfterMs ?? 0, REFUSED_RETRY_MS),
          Math.min(unreachableMs, MOST_UNREACHABLE_RETRY_MS) * (0.5 + this.#random.fraction()),
        )
      : REFUSED_RETRY_MS
    candidate.retryAt = this.#clock.monotonic() + delayMs
    if (this.closing) return
    const timer = this.#clock.schedule(delayMs, () => {
      this.#redials.delete(timer)
      this.#dialWhoIsDue()
    })
    this.#redials.add(timer)
  }

  #lose(candidate: Candidate, connection: PeerConnection): void {
    candidate.connection = null
    this.emit('lost', connection)
    this.#dialWhoIsDue()
  }
}

/**
 * Whoever proved itself goes first; but once a dial has failed it waits its turn as all others do, or
 * a few dead workers would keep every newcomer out.
 */
function isKnownGood({ proved, failure }: Candidate): boolean {
  return proved && failure === null
}
