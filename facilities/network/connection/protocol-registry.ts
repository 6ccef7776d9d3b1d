import type { PeerIdentity } from '../../../helpers/identity/identity.js'
import type { ConnectionMeter } from '../limits/connection-meter.js'
import type { Member } from '../limits/peer-quota.js'
import type { GuardedMux } from '../trust/guarded-mux.js'
import type { RefusedChannel } from '../watch/network-observer.js'

/** A connection whose both ends are authenticated. */
export interface AuthenticatedConnection {
  readonly mux: GuardedMux
  readonly peer: PeerIdentity
  /** The peer as limits see it. */
  readonly member: Member
  readonly meter: ConnectionMeter
  /** Whether this end dialled; false if it accepted the connection. */
  readonly isDialled: boolean
}

/** A protocol that a facility answers on every authenticated connection, whichever end dialled. */
export interface ConnectionProtocol {
  /** The name of its channels: `starling/stream`. */
  readonly name: string
  /** Whether this peer may open channels of it. */
  mayOpen(peer: PeerIdentity): boolean
  /**
   * Opens what is always open between two peers, such as a heartbeat. Called in the tick in which both ends are
   * authenticated, for peers that may open channels. A library that opens channels by itself is started here: for
   * the replication of a Hypercore, `core.replicate(mux)`.
   */
  attach?(connection: AuthenticatedConnection): void
  /**
   * Claims a channel that the peer opened, by creating a channel with this name and id in the same tick. A channel
   * that is not claimed is rejected; the connection stays.
   */
  accept?(connection: AuthenticatedConnection, id: Uint8Array | null): void
}

/**
 * The protocols that one worker answers. Everything that a peer may open is offered here. Nothing of it is answered
 * before both ends are authenticated, and a channel that nobody offers is rejected without harm to the connection.
 */
export class ProtocolRegistry {
  readonly #protocols = new Map<string, ConnectionProtocol>()
  #isSealed = false

  /**
   * Answers a protocol from now on.
   *
   * @throws Error if the name is taken, or if the worker may already have connections
   */
  offer(protocol: ConnectionProtocol): this {
    const { name } = protocol
    if (this.#isSealed) throw new Error(`${name} was offered after the endpoint was opened`)
    if (this.#protocols.has(name)) throw new Error(`${name} is offered twice`)
    this.#protocols.set(name, protocol)
    return this
  }

  /** Ends the offers: connections begin now, and each answers the same protocols. */
  seal(): void {
    this.#isSealed = true
  }

  /**
   * Begins to answer on a connection, in the tick in which both ends are authenticated.
   *
   * @param onRefused told of each channel that is rejected
   */
  answer(
    connection: AuthenticatedConnection,
    onRefused: (channel: RefusedChannel) => void = () => undefined,
  ): void {
    const { mux, peer } = connection
    for (const protocol of this.#protocols.values()) {
      if (protocol.mayOpen(peer)) protocol.attach?.(connection)
    }
    mux.answer({
      claim: (name, id) => {
        const protocol = this.#protocols.get(name)
        if (protocol?.mayOpen(peer)) protocol.accept?.(connection, id)
      },
      onRejected: (name) => onRefused({ protocol: name, peer, reason: this.#reason(name, peer) }),
    })
  }

  #reason(name: string, peer: PeerIdentity): RefusedChannel['reason'] {
    const protocol = this.#protocols.get(name)
    if (protocol === undefined) return 'not offered'
    return protocol.mayOpen(peer) ? 'not claimed' : 'not allowed'
  }
}
