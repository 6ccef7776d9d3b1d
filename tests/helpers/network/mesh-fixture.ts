import type { Test } from 'brittle'
import type HyperDHT from 'hyperdht'
import type { Clock } from '../../../facilities/clock/clock.js'
import { type Random, SystemRandom } from '../../../facilities/clock/random.js'
import type { Peer } from '../../../facilities/network/calls/peers.js'
import type { CallOptions } from '../../../facilities/network/calls/request-context.js'
import type { Service } from '../../../facilities/network/calls/service.js'
import { MeshEndpoint } from '../../../facilities/network/connection/mesh-endpoint.js'
import type { OutgoingConnection } from '../../../facilities/network/connection/outgoing-connection.js'
import type { ConnectionProtocol } from '../../../facilities/network/connection/protocol-registry.js'
import { Announcement, topicOf } from '../../../facilities/network/discovery/announcement.js'
import { KnownPeers } from '../../../facilities/network/discovery/known-peers.js'
import { RolePeers } from '../../../facilities/network/discovery/role-peers.js'
import type { NetworkLimits } from '../../../facilities/network/limits/network-limit-settings.js'
import type { NetworkMode } from '../../../facilities/network/modes/network-mode.js'
import type { ConnectionObserver } from '../../../facilities/network/watch/network-observer.js'
import type { Identity } from '../../../helpers/identity/identity.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { Cleanup } from '../cleanup.js'
import { until } from '../until.js'
import { MeshAuthority } from './mesh-authority.js'
import { requestOptions } from './sample-service.js'

/** Small limits and short times, so that a test can reach each of them. */
export const TEST_LIMITS: NetworkLimits = {
  helloTimeoutMs: 500,
  maxUnverifiedConnections: 8,
  maxConnections: 16,
  maxConnectionsPerKey: 4,
  maxStreams: 64,
  maxStreamsPerKey: 8,
  maxCalls: 64,
  maxCallsPerKey: 8,
  maxRequestBytes: 64 * 1024 * 1024,
  maxRequestBytesPerKey: 8 * 1024 * 1024,
  maxUnsentBytes: 64 * 1024 * 1024,
  maxUnsentBytesPerKey: 16 * 1024 * 1024,
  maxUnreadBytes: 16 * 1024 * 1024,
  maxUnreadBytesPerKey: 4 * 1024 * 1024,
  workerShare: 0.25,
  workerFactor: 2,
  streamWindowChunks: 8,
  gatherMs: 0,
  stalledReaderTimeoutMs: 3_000,
  heartbeatIntervalMs: 100,
  heartbeatMissedLimit: 5,
}

/** Replacements for the defaults of the fixture. */
export interface NodeOptions {
  readonly identity?: Identity
  readonly limits?: Partial<NetworkLimits>
  readonly service?: Service | null
  /** What the node answers besides calls, streams and heartbeats. */
  readonly protocols?: readonly ConnectionProtocol[]
  readonly events?: ConnectionObserver
  readonly dht?: HyperDHT
}

/** A node and its parts. */
export interface FixtureNode {
  readonly node: MeshEndpoint
  readonly dht: HyperDHT
  readonly identity: Identity
}

/**
 * A mesh for one test: its own root, and nodes over the given network. Everything is
 * closed when the test ends, in reverse order.
 */
export class MeshFixture {
  readonly clock: Clock
  readonly authority: MeshAuthority
  readonly cleanup: Cleanup
  readonly #createDht: () => HyperDHT

  constructor(t: Test, options: { clock: Clock; createDht: () => HyperDHT; cleanup?: Cleanup }) {
    this.clock = options.clock
    this.authority = new MeshAuthority(options.clock)
    this.cleanup = options.cleanup ?? new Cleanup(t)
    this.#createDht = options.createDht
  }

  /** A DHT node for a peer that is not a worker. */
  dht(): HyperDHT {
    return this.#createDht()
  }

  topic(role: Role): Uint8Array {
    return topicOf(this.authority.secret, role)
  }

  /** A node that is ready. */
  async node(role: Role, options: NodeOptions = {}): Promise<FixtureNode> {
    const dht = options.dht ?? this.#createDht()
    const identity = options.identity ?? this.authority.identity(role)
    const node = new MeshEndpoint({
      dht,
      identity,
      clock: this.clock,
      limits: { ...TEST_LIMITS, ...options.limits },
      service: options.service ?? null,
      ...(options.events && { events: options.events }),
    })
    this.cleanup.add(() => node.close())
    for (const protocol of options.protocols ?? []) node.protocols.offer(protocol)
    await node.ready()
    return { node, dht, identity }
  }

  /** A node that answers calls and is announced on the topic of its role. */
  async announced(
    role: Role,
    options: NodeOptions & { service: Service },
  ): Promise<FixtureNode & { announcement: Announcement }> {
    const built = await this.node(role, options)
    const announcement = new Announcement({
      dht: built.dht,
      topic: this.topic(role),
      keyPair: built.identity.keyPair,
      addresses: () => built.node.addresses,
      clock: this.clock,
      intervalMs: 200,
    })
    this.cleanup.add(() => announcement.close())
    await announcement.ready()
    return { ...built, announcement }
  }

  /** The peers of a role that the node discovers. Not ready yet. */
  peers(
    role: Role,
    from: FixtureNode,
    options: {
      intervalMs?: number
      known?: KnownPeers
      /** Redials come at their mean delay by default. */
      random?: Partial<Random>
      /** All addresses by default. */
      dialable?: NetworkMode['dialable']
      onDialFailed?: (error: unknown, publicKey: Uint8Array) => void
    } = {},
  ): RolePeers {
    const peers = new RolePeers({
      role,
      self: from.identity.keyPair.publicKey,
      topic: this.topic(role),
      dht: from.dht,
      node: from.node,
      known: options.known ?? new KnownPeers({ clock: this.clock, store: null }),
      clock: this.clock,
      random: Object.assign(new SystemRandom(), options.random ?? { fraction: () => 0.5 }),
      intervalMs: options.intervalMs ?? 200,
      ...(options.dialable && { dialable: options.dialable }),
      ...(options.onDialFailed && { onDialFailed: options.onDialFailed }),
    })
    this.cleanup.add(() => peers.close())
    return peers
  }

  /** A connection between two nodes, with both sides verified. */
  dial(from: FixtureNode, to: FixtureNode): Promise<OutgoingConnection> {
    const { publicKey } = to.identity.keyPair
    return from.node.dial(publicKey, to.node.addresses, new AbortController().signal)
  }

  /** The options of a call, with a new origin. */
  call(changes: Partial<CallOptions> = {}): CallOptions {
    return requestOptions(this.clock, changes)
  }
}

/** Waits until these peers have a connection. */
export function firstConnection<P extends Peer>(
  peers: { readonly role: string; readonly connections: readonly P[] },
  timeoutMs = 5_000,
): Promise<P> {
  return until(`a connection to a ${peers.role}`, () => peers.connections[0], timeoutMs)
}
