import type HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Identity } from '../../../helpers/identity/identity.js'
import { endedWithin } from '../../clock/bounded-wait.js'
import type { Clock } from '../../clock/clock.js'
import { RpcAdapter } from '../calls/rpc-adapter.js'
import type { Service } from '../calls/service.js'
import { ConnectionPlaces } from '../limits/connection-places.js'
import type { NetworkLimits } from '../limits/network-limit-settings.js'
import { PeerBounds } from '../limits/peer-bounds.js'
import { type Source, UnverifiedConnections } from '../limits/unverified-connections.js'
import type { ConnectionObserver } from '../watch/network-observer.js'
import { AcceptedConnections } from './accepted-connections.js'
import { authenticateConnection } from './authenticate-connection.js'
import { heartbeatProtocol } from './heartbeat.js'
import { OutgoingConnection } from './outgoing-connection.js'
import { ProtocolRegistry } from './protocol-registry.js'

/** Heartbeat intervals after which a connection on which nothing arrives counts as silent. */
const SILENT_INTERVALS = 1.5

/** How long a worker that leaves waits for the DHT or a peer. A DHT that answers takes milliseconds. */
export const LEAVING_TIMEOUT_MS = 250

/**
 * The end of all connections of one worker: dials others and accepts their connections. Only the hello passes on a
 * connection before both ends are authenticated. Does not own the DHT and the service.
 */
export class MeshEndpoint extends ReadyResource {
  /** What is answered on all connections. Protocols are offered before the endpoint is ready. */
  readonly protocols = new ProtocolRegistry()
  readonly #dht: HyperDHT
  readonly #identity: Identity
  readonly #clock: Clock
  readonly #limits: NetworkLimits
  readonly #events: ConnectionObserver
  readonly #rpc: RpcAdapter
  readonly #server: HyperDHT.Server | null
  readonly #streams = new Set<HyperDHT.SecretStream>()
  /** Null for a worker that only calls. */
  /** Aborted when this worker begins to leave. */
  readonly #leaving: AbortSignal | undefined
  readonly #accepted: AcceptedConnections | null
  readonly #unverified: UnverifiedConnections
  readonly #bounds: PeerBounds
  readonly #places: ConnectionPlaces

  /** @param options.service what this worker answers; null for one that only calls */
  constructor(options: {
    dht: HyperDHT
    identity: Identity
    clock: Clock
    limits: NetworkLimits
    service: Service | null
    events?: ConnectionObserver
  }) {
    super()
    this.#dht = options.dht
    this.#identity = options.identity
    this.#clock = options.clock
    this.#limits = options.limits
    this.#events = options.events ?? {}
    this.#unverified = new UnverifiedConnections({
      clock: options.clock,
      most: options.limits.maxUnverifiedConnections,
    })
    this.#bounds = new PeerBounds(options.limits, options.clock)
    this.#places = new ConnectionPlaces({
      quota: this.#bounds.connections,
      silentAfterMs: options.limits.heartbeatIntervalMs * SILENT_INTERVALS,
    })
    this.#rpc = new RpcAdapter(options.identity.keyPair)
    this.protocols.offer(heartbeatProtocol(options))
    const { service } = options
    this.#leaving = service?.leaving
    this.#accepted =
      service &&
      new AcceptedConnections({
        ...options,
        service,
        rpc: this.#rpc,
        bounds: this.#bounds,
        observer: this.#events,
      })
    this.#accepted?.offer(this.protocols)
    this.#server =
      service === null
        ? null
        : this.#dht.createServer({ firewall: (key, _, address) => this.#ignores(key, address) })
  }

  /** The addresses at which others reach this node without a DHT lookup. */
  get addresses(): readonly HyperDHT.Address[] {
    return this.#server?.relayAddresses ?? []
  }

  /** Incoming connections: those that are authenticated, and those that are not yet. */
  get connectionCounts(): { readonly proved: number; readonly unverified: number } {
    return { proved: this.#accepted?.size ?? 0, unverified: this.#unverified.size }
  }

  protected override async _open(): Promise<void> {
    this.protocols.seal()
    if (this.#server === null) return
    this.#accepted?.listen()
    this.#server.on('connection', (stream: HyperDHT.SecretStream) => {
      this.#accept(stream).catch(safetyCatch)
    })
    await this.#server.listen(this.#identity.keyPair)
  }

  protected override async _close(): Promise<void> {
    if (this.#server !== null) {
      await endedWithin(LEAVING_TIMEOUT_MS, this.#server.close(), this.#clock)
    }
    await Promise.all([...this.#streams].map((stream) => endStream(stream, this.#clock)))
    await this.#rpc.close()
  }

  /**
   * Connects to the worker with that key and authenticates both ends.
   *
   * @param addresses where it was last seen; tried before the DHT is asked
   * @param signal aborts the attempt
   * @param onMac called when the MAC of the peer has arrived, which strangers cannot compute
   * @throws StarlingError PEER_UNREACHABLE if it does not answer; or as the hello
   */
  async dial(
    publicKey: Uint8Array,
    addresses: readonly HyperDHT.Address[],
    signal: AbortSignal,
    onMac?: (isMember: boolean) => void,
  ): Promise<OutgoingConnection> {
    const stream = this.#dht.connect(publicKey, {
      keyPair: this.#identity.keyPair,
      // A copy: the DHT keeps and changes the list.
      relayAddresses: [...addresses],
    })
    this.#track(stream)
    const giveUp = () => stream.destroy()
    signal.addEventListener('abort', giveUp, { once: true })
    if (signal.aborted) giveUp()
    try {
      await opened(stream)
      return await authenticateConnection(stream, this.#identity, {
        clock: this.#clock,
        limits: this.#limits,
        bounds: this.#bounds,
        protocols: this.protocols,
        observer: this.#events,
        onMac,
        attach: ({ mux, peer, meter }) =>
          new OutgoingConnection(mux, peer, {
            meter,
            clock: this.#clock,
            rpc: this.#rpc,
            streams: {
              windowChunks: this.#limits.streamWindowChunks,
              gatherMs: this.#limits.gatherMs,
              leaving: this.#leaving,
            },
          }),
      })
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  /**
   * Whether a handshake is not answered. Ignoring it costs a tenth of a connection with its hello, but
   * the caller waits four seconds and gets no reason. So only sources that cannot be honest processes
   * are ignored.
   */
  #ignores(publicKey: Uint8Array, address: HyperDHT.Address): boolean {
    if (!this.#unverified.isCrowded(address, keyOf(publicKey))) return false
    const message = 'Too many connections of one source are waiting for their hello'
    this.#events.onRefused?.(new StarlingError('OVERLOADED', message), publicKey)
    return true
  }

  async #accept(stream: HyperDHT.SecretStream): Promise<void> {
    this.#track(stream)
    let isRefused = false
    const refuse = (error: unknown) => {
      // A connection that is cut after its refusal counts once.
      if (!isRefused) this.#events.onRefused?.(error, stream.remotePublicKey)
      isRefused = true
    }
    const unverified = this.#unverified.add(sourceOf(stream), () => {
      const message = 'The connection was closed before its hello, to make room for another'
      refuse(new StarlingError('OVERLOADED', message))
      stream.destroy()
    })
    if (unverified === undefined) {
      refuse(new StarlingError('OVERLOADED', 'Too many connections are waiting for their hello'))
      stream.destroy()
      return
    }
    stream.once('close', () => unverified.leave())
    let leave: (() => void) | undefined
    try {
      await authenticateConnection(stream, this.#identity, {
        clock: this.#clock,
        limits: this.#limits,
        bounds: this.#bounds,
        protocols: this.protocols,
        observer: this.#events,
        admit: (member, meter) => {
          const cut = () => stream.destroy()
          leave = this.#places.take(member, { silentMs: () => meter.silentMs(), cut })
          stream.once('close', leave)
        },
        attach: () => unverified.verify(),
      })
    } catch (error) {
      leave?.()
      refuse(error)
      unverified.refuse()
    }
  }

  #track(stream: HyperDHT.SecretStream): void {
    this.#streams.add(stream)
    stream.once('close', () => this.#streams.delete(stream))
    // Users of the stream listen for `close`. An error without a listener would end the process.
    stream.on('error', safetyCatch)
  }
}

/** Where a connection comes from. */
function sourceOf({ rawStream, remotePublicKey }: HyperDHT.SecretStream): Source {
  return {
    host: rawStream?.remoteHost ?? '',
    port: rawStream?.remotePort ?? 0,
    key: keyOf(remotePublicKey ?? new Uint8Array()),
  }
}

function keyOf(publicKey: Uint8Array): string {
  return Buffer.from(publicKey).toString('hex')
}

/** Ends a connection. What was written last is still sent, unless the other end does not read it. */
async function endStream(stream: HyperDHT.SecretStream, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
  stream.end()
  await endedWithin(LEAVING_TIMEOUT_MS, closed, clock)
  stream.destroy()
  await closed
}

/** Waits until a dialled stream is open. The reason of a failure comes only as its error event. */
function opened(stream: HyperDHT.SecretStream): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause?: unknown) =>
      reject(new StarlingError('PEER_UNREACHABLE', 'The worker could not be reached', { cause }))
    stream.once('error', fail)
    stream.once('close', () => fail())
    stream.opened.then((isOpen) => (isOpen ? resolve() : undefined), fail)
  })
}
