import type HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import type { RosterEntry } from '../../helpers/discovery/roster-entry.js'
import { isStarlingError, type StarlingError } from '../../helpers/errors/starling-error.js'
import type { Identity } from '../../helpers/identity/identity.js'
import type { Role } from '../../helpers/identity/roles.js'
import type { Clock } from '../clock/clock.js'
import { Deadline } from '../clock/deadline.js'
import type { Random } from '../clock/random.js'
import type { Log } from '../log/log.js'
import type { PeerSearch } from './calls/peers.js'
import { Service } from './calls/service.js'
import { MeshEndpoint } from './connection/mesh-endpoint.js'
import type { ProtocolRegistry } from './connection/protocol-registry.js'
import { topicOf } from './discovery/announcement.js'
import { KnownPeers, type PeerStore } from './discovery/known-peers.js'
import { MeshRoster, type RosterSettings } from './discovery/mesh-roster.js'
import { Presence } from './discovery/presence.js'
import { RolePeers } from './discovery/role-peers.js'
import type { RosterKeeper } from './discovery/roster-keeper.js'
import type { NetworkLimits } from './limits/network-limit-settings.js'
import type { BootstrapShare, NetworkMode } from './modes/network-mode.js'
import { NetworkLog } from './watch/network-log.js'
import { type NetworkObserver, NetworkObservers } from './watch/network-observer.js'

/** How a worker takes part in the mesh. Comes from the configuration. */
export interface NetworkSettings extends NetworkLimits {
  /** Between two announcements, in milliseconds. */
  readonly announceIntervalMs: number
  /** How long a worker that leaves waits for its requests to end, in milliseconds. */
  readonly drainTimeoutMs: number
  /** Between two lookups of the workers of a role, in milliseconds. */
  readonly lookupIntervalMs: number
}

/** The parts of a {@link MeshNetwork}. */
export interface MeshNetworkOptions {
  readonly role: Role
  /** The network in which workers reach each other. */
  readonly mode: NetworkMode
  /** The mesh secret, which the topics are derived from. */
  readonly secret: Uint8Array
  readonly identity: Identity
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Keeps the workers that were found for the next start. Left out: none are kept. */
  readonly peerStore?: PeerStore
  readonly settings: NetworkSettings
  readonly roster: RosterSettings
}

/**
 * The network of one worker: its DHT node, its share in the bootstrap node, its connections, its announcement,
 * and the workers of other roles that it keeps connected.
 */
export class MeshNetwork extends ReadyResource {
  /** What this worker answers. Methods are added before the network is ready. */
  readonly service = new Service()
  /** The workers that are dialled whatever the DHT returns. */
  readonly knownPeers: KnownPeers
  readonly #options: MeshNetworkOptions
  readonly #peers: RolePeers[] = []
  readonly #observers = new NetworkObservers()
  readonly #networkLog: NetworkLog
  readonly #bootstrap: BootstrapShare | null
  readonly #dht: HyperDHT
  readonly #node: MeshEndpoint
  readonly #presence: Presence | null
  readonly #roster: MeshRoster

  /** A client only calls: it is not announced, and takes no share in the bootstrap node. */
  constructor(options: MeshNetworkOptions) {
    super()
    this.#options = options
    const { role, mode, identity, clock, log, settings } = options
    const serves = role !== 'client'
    this.knownPeers = new KnownPeers({ clock, store: options.peerStore ?? null })
    this.#networkLog = new NetworkLog(log, clock)
    this.#observers.add(this.#networkLog)
    this.#bootstrap = serves
      ? mode.shareBootstrap({ clock, onTaken: (port) => this.#onBootstrapTaken(port) })
      : null
    this.#dht = mode.createDht()
    this.#node = new MeshEndpoint({
      dht: this.#dht,
      identity,
      clock,
      limits: settings,
      service: serves ? this.service : null,
      events: this.#observers,
    })
    this.#presence = serves ? this.#createPresence() : null
    this.#roster = this.#createRoster(serves)
    // Auth lists itself.
    if (serves && role !== 'auth') this.#roster.enlistAt(this.peers('auth'))
  }

  /** Adds an observer of all events from now on. */
  observe(observer: NetworkObserver): void {
    this.#observers.add(observer)
  }

  /** Incoming connections: those that are authenticated, and those that are not yet. */
  get connectionCounts(): { readonly proved: number; readonly unverified: number } {
    return this.#node.connectionCounts
  }

  /** What is answered on all connections. Protocols are offered before the network is ready. */
  get protocols(): ProtocolRegistry {
    return this.#node.protocols
  }

  /** The roles that are looked for, and how many workers of each are connected. */
  get peerCounts(): ReadonlyMap<Role, number> {
    return new Map(this.#peers.map(({ role, connections }) => [role, connections.length]))
  }

  /** The other workers of a role, looked for as soon as the network is ready. The role may be that of this worker. */
  peers(role: Role): RolePeers {
    const known = this.#peers.find((peers) => peers.role === role)
    if (known !== undefined) return known
    const { mode, secret, identity, clock, random, settings } = this.#options
    const peers = new RolePeers({
      role,
      self: identity.keyPair.publicKey,
      topic: topicOf(secret, role),
      dht: this.#dht,
      node: this.#node,
      known: this.knownPeers,
      clock,
      random,
      intervalMs: settings.lookupIntervalMs,
      dialable: (addresses) => mode.dialable(addresses),
      onDialFailed: (error, publicKey) => this.#observers.onDialFailed(role, error, publicKey),
    })
    peers.on('connected', ({ identity }) => this.#observers.onPeerConnected(role, identity))
    peers.on('lost', ({ identity }) => this.#observers.onPeerLost(role, identity))
    this.#roster.watch(peers)
    this.#peers.push(peers)
    return peers
  }

  /** The other workers of a role, which are looked for from now on. */
  async look(role: Role): Promise<PeerSearch> {
    await this.ready()
    const peers = this.peers(role)
    await peers.ready()
    return peers
  }

  /** The newest roster that this worker has. */
  get roster(): RosterKeeper {
    return this.#roster.keeper
  }

  /** How many other workers of a role the roster lists, wherever they are. */
  listed(role: Role): number {
    const { publicKey: own } = this.#options.identity.keyPair
    const isListed = ({ publicKey, roles }: RosterEntry) =>
      roles.includes(role) && Buffer.compare(publicKey, own) !== 0
    return this.roster.entries.filter(isListed).length
  }

  /** Why others cannot find this worker; null if they can, or if that is not known yet. */
  get discoveryFailure(): StarlingError | null {
    return this.#presence?.failure ?? null
  }

  /** Whether the bootstrap node answers within about a second. */
  async pingBootstrap(): Promise<{ readonly address: string; readonly isReachable: boolean }> {
    const { mode } = this.#options
    return { address: mode.bootstrap, isReachable: await mode.answers(this.#dht) }
  }

  /** @throws StarlingError BOOTSTRAP_UNAVAILABLE */
  protected override async _open(): Promise<void> {
    try {
      await this.knownPeers.ready()
      await this.#bootstrap?.ready()
      await this.#node.ready()
      this.#learnItself()
      await this.#presence?.ready()
      await this.#roster.ready()
      for (const peers of this.#peers) await peers.ready()
    } catch (error) {
      // close() does not close what has not opened.
      await this._close()
      throw error
    }
  }

  /** Other processes of the home then find this worker without the DHT. */
  #learnItself(): void {
    const { role, identity } = this.#options
    const { publicKey } = identity.keyPair
    const { addresses } = this.#node
    if (addresses.length > 0) this.knownPeers.learn([{ role, publicKey, addresses }], 'proved')
  }

  protected override async _close(): Promise<void> {
    this.#bootstrap?.retire()
    await this.#presence?.close()
    await this.#drain()
    await this.#roster.close()
    for (const peers of this.#peers) await peers.close()
    await this.#node.close()
    await this.knownPeers.close()
    // Its servers were closed above, within the time limit.
    await this.#dht.destroy({ force: true })
    await this.#bootstrap?.close()
    this.#networkLog.close()
  }

  #createPresence(): Presence {
    const { role, mode, secret, identity, clock, settings } = this.#options
    return new Presence({
      dht: this.#dht,
      topic: topicOf(secret, role),
      keyPair: identity.keyPair,
      addresses: () => this.#node.addresses,
      bootstrap: mode.bootstrap,
      clock,
      intervalMs: settings.announceIntervalMs,
      onChanged: (failure) => this.#observers.onDiscoverable(failure),
    })
  }

  /** @throws StarlingError CERTIFICATE_INVALID */
  #createRoster(serves: boolean): MeshRoster {
    const { identity, roster: settings } = this.#options
    const roster = new MeshRoster({
      ...this.#options,
      ...settings,
      mesh: identity.mesh,
      publicKey: serves ? identity.keyPair.publicKey : null,
      dht: this.#dht,
      events: {
        onRoster: (entries, sequence) => {
          this.#learn(entries)
          this.#observers.onRoster(entries, sequence)
        },
        onPartOfRoster: (entries) => this.#learn([...this.roster.entries, ...entries]),
        onRosterFailure: (error) => this.#observers.onRosterFailure(error),
      },
    })
    if (serves) roster.answer(this.service)
    return roster
  }

  /** Workers on the roster are found by their keys: it names no addresses. */
  #learn(entries: readonly RosterEntry[]): void {
    const known = entries.flatMap(({ publicKey, roles }) =>
      roles.map((role) => ({ role, publicKey, addresses: [] })),
    )
    this.knownPeers.learn(known, 'roster')
  }

  #onBootstrapTaken(port: number): void {
    this.#observers.onBootstrapTaken(port)
    // The new node is empty.
    if (this.opened) void this.#roster.round()
  }

  /** Waits until the requests in progress have ended, or their time is over. */
  async #drain(): Promise<void> {
    const { clock, settings } = this.#options
    const deadline = new Deadline(clock, settings.drainTimeoutMs)
    try {
      await deadline.race(this.service.drain())
    } catch (error) {
      if (!isStarlingError(error, 'DEADLINE_EXCEEDED')) throw error
      this.#observers.onDrainTimeout(settings.drainTimeoutMs)
    } finally {
      deadline.dispose()
    }
  }
}
