import type HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { Role } from '../../helpers/identity/roles.js'
import type { Clock, Timer } from '../clock/clock.js'
import { repeat } from '../clock/repeat.js'
import type { MeshNode } from './mesh-node.js'
import type { PeerConnection } from './peer-connection.js'
import { sameAddresses } from './same-addresses.js'

/** Keys remembered at once. A topic is open to anybody who knows it, so the list has an end. */
const MAX_CANDIDATES = 256
/** Dials under way at once: each holds a handshake at both ends. */
const MAX_DIALS = 16
/** Between two dials of one worker that does not answer, or that drops the connection at once. */
const UNREACHABLE_RETRY_MS = 1_000
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
  /** The last dial failed. */
  failed: boolean
  connection: PeerConnection | null
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
  readonly #intervalMs: number
  readonly #onDialFailed: (error: unknown, publicKey: Uint8Array) => void
  readonly #candidates = new Map<string, Candidate>()
  #timers: Timer[] = []
  #query: HyperDHT.Query | null = null
  #dials = 0
  #looks = 0

  constructor(options: {
    role: Role
    topic: Uint8Array
    dht: HyperDHT
    node: MeshNode
    clock: Clock
    intervalMs: number
    onDialFailed?: (error: unknown, publicKey: Uint8Array) => void
  }) {
    super()
    this.role = options.role
    this.#topic = options.topic
    this.#dht = options.dht
    this.#node = options.node
    this.#clock = options.clock
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
    for (const timer of this.#timers) timer.cancel()
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
        failed: false,
        connection: null,
      })
    } else if (!sameAddresses(known.addresses, peer.relayAddresses)) {
      // It was restarted: what was known of its old address says nothing of the new one.
      known.addresses = peer.relayAddresses
      known.retryAt = 0
      known.dialling?.abort()
    }
  }

  /** Makes room for a newcomer at the cost of somebody who never proved anything. */
  #forgetOne(): boolean {
    for (const [key, candidate] of this.#candidates) {
      if (candidate.proved || candidate.dialling) continue
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
        candidate.retryAt = this.#clock.monotonic() + REFUSED_RETRY_MS
        return
      }
      candidate.proved = true
      candidate.failed = false
      candidate.retryAt = this.#clock.monotonic() + UNREACHABLE_RETRY_MS
      candidate.connection = connection
      void connection.closed.then(() => this.#lose(candidate, connection))
      this.emit('connected', connection)
    } catch (error) {
      if (attempt.signal.aborted) return
      candidate.failed = true
      const retryMs = isStarlingError(error, 'PEER_UNREACHABLE', 'HELLO_FAILED')
        ? UNREACHABLE_RETRY_MS
        : REFUSED_RETRY_MS
      candidate.retryAt = this.#clock.monotonic() + retryMs
      this.#onDialFailed(error, publicKey)
    } finally {
      candidate.dialling = null
      this.#dials -= 1
      this.#dialWhoIsDue()
      this.#noteSurvey()
    }
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
function isKnownGood({ proved, failed }: Candidate): boolean {
  return proved && !failed
}
