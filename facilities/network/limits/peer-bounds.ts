import type { Clock } from '../../clock/clock.js'
import { ByteBudget } from './byte-budget.js'
import type { NetworkLimits } from './network-limit-settings.js'
import { PeerQuota, type Quota } from './peer-quota.js'
import { RefusalDelays } from './refusal-delays.js'

/** When a peer that was refused a connection should dial again. */
const RECONNECT_AFTER_MS = 1000

/**
 * What the peers of one node may use: each key, all clients together, and all peers together. Shared by
 * all connections of the node, accepted and dialled.
 */
export class PeerBounds {
  readonly connections: PeerQuota
  readonly streams: PeerQuota
  readonly calls: PeerQuota
  /** Bytes of the requests that are being answered. */
  readonly requestBytes: PeerQuota
  /** Bytes written to connections and not yet taken by the peer. */
  readonly unsentBytes: ByteBudget
  /** Bytes of partly received frames, and of chunks of streams that are not read yet. */
  readonly unreadBytes: ByteBudget
  /** Answers to calls and streams that are refused for a limit. */
  readonly refusals: RefusalDelays

  constructor(limits: NetworkLimits, clock: Clock) {
    const quota = (most: number, mostPerClient: number): Quota => ({
      most,
      mostOfClients: Math.max(1, Math.floor(most * (1 - limits.workerShare))),
      mostPerClient,
      mostPerWorker: mostPerClient * limits.workerFactor,
    })
    const { maxConnections, maxConnectionsPerKey } = limits
    this.connections = new PeerQuota(
      'connections',
      quota(maxConnections, maxConnectionsPerKey),
      RECONNECT_AFTER_MS,
    )
    this.streams = new PeerQuota('open streams', quota(limits.maxStreams, limits.maxStreamsPerKey))
    this.calls = new PeerQuota('calls in progress', quota(limits.maxCalls, limits.maxCallsPerKey))
    this.requestBytes = new PeerQuota(
      'bytes of requests in progress',
      quota(limits.maxRequestBytes, limits.maxRequestBytesPerKey),
    )
    this.unsentBytes = new ByteBudget(quota(limits.maxUnsentBytes, limits.maxUnsentBytesPerKey))
    this.unreadBytes = new ByteBudget(quota(limits.maxUnreadBytes, limits.maxUnreadBytesPerKey))
    this.refusals = new RefusalDelays(clock, limits)
  }
}
