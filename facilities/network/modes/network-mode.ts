import type HyperDHT from 'hyperdht'
import type { PeerAddress } from '../../../helpers/discovery/remembered-peers.js'
import type { Clock } from '../../clock/clock.js'

/** How the workers of a mesh reach each other: over which network, and through which DHT nodes. */
export interface NetworkMode {
  /** The DHT node that workers find each other through, as messages name it: its host and port. */
  readonly bootstrap: string
  /** Creates a DHT node in this network. The caller destroys it. */
  createDht(): HyperDHT
  /**
   * The part of one worker in running the bootstrap node; null if the workers do not run it.
   *
   * @param options.onTaken called with the port whenever this process becomes the holder of the node
   */
  shareBootstrap(options: { clock: Clock; onTaken?: (port: number) => void }): BootstrapShare | null
  /**
   * The addresses at which a peer is dialled, of those at which it was seen, in order. If there are none, the DHT
   * is asked for its key.
   */
  dialable(addresses: readonly PeerAddress[]): readonly PeerAddress[]
  /** Whether the bootstrap node answers a node of this network, within about a second. Does not fail. */
  answers(dht: HyperDHT): Promise<boolean>
}

/** The part of one worker in running the bootstrap node. */
export interface BootstrapShare {
  /** @throws StarlingError BOOTSTRAP_UNAVAILABLE if there can be no bootstrap node */
  ready(): Promise<void>
  /** Takes nothing over from now on, because the worker is leaving. */
  retire(): void
  close(): Promise<void>
}
