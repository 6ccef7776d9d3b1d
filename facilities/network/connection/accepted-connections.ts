import type HyperDHT from 'hyperdht'
import type { Clock } from '../../clock/clock.js'
import { RPC_PROTOCOL, type RpcAdapter } from '../calls/rpc-adapter.js'
import type { Service } from '../calls/service.js'
import { STREAM_PROTOCOL } from '../calls/stream-wire.js'
import type { NetworkLimits } from '../limits/network-limit-settings.js'
import type { PeerBounds } from '../limits/peer-bounds.js'
import type { RequestObserver } from '../watch/request-observer.js'
import { IncomingConnection } from './incoming-connection.js'
import type { AuthenticatedConnection, ProtocolRegistry } from './protocol-registry.js'

/** The parts of {@link AcceptedConnections}. */
export interface AcceptedConnectionsOptions {
  readonly service: Service
  readonly rpc: RpcAdapter
  readonly clock: Clock
  readonly limits: NetworkLimits
  readonly bounds: PeerBounds
  readonly observer: RequestObserver
}

/**
 * The authenticated connections that a worker accepted. Its service answers calls and streams on them, and not on
 * those that it dialled.
 */
export class AcceptedConnections {
  readonly #options: AcceptedConnectionsOptions
  readonly #connections = new Map<HyperDHT.SecretStream, IncomingConnection>()

  constructor(options: AcceptedConnectionsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#connections.size
  }

  /** Offers calls and streams. Every member may open their channels: each method says who may call it. */
  offer(protocols: ProtocolRegistry): void {
    protocols.offer({
      name: RPC_PROTOCOL,
      mayOpen: () => true,
      attach: (connection) => {
        if (!connection.isDialled) this.#attach(connection)
      },
    })
    protocols.offer({
      name: STREAM_PROTOCOL,
      mayOpen: () => true,
      accept: ({ mux }, id) => this.#connections.get(mux.stream)?.acceptStream(id),
    })
  }

  /** Answers the methods that the service has now. */
  listen(): void {
    const { service, rpc } = this.#options
    for (const bound of service.unaryMethods) {
      rpc.respond(bound.method.name, async (bytes, stream) => {
        const connection = this.#connections.get(stream)
        // Only missing if the connection has just ended; the answer is then discarded.
        return connection === undefined ? new Uint8Array(0) : await connection.answer(bound, bytes)
      })
    }
  }

  #attach(connection: AuthenticatedConnection): void {
    const { stream } = connection.mux
    this.#connections.set(stream, new IncomingConnection(connection, this.#options))
    stream.once('close', () => this.#connections.delete(stream))
    this.#options.rpc.accept(stream)
  }
}
