import type HyperDHT from 'hyperdht'
import type { NetworkMode } from '../../../../facilities/network/modes/network-mode.js'
import type { PeerAddress } from '../../../../helpers/discovery/remembered-peers.js'
import { MemoryDht } from './memory-dht.js'
import type { MemoryHost, MemoryNetwork } from './memory-network.js'

/** The network of a process in memory. The workers do not run its bootstrap node. */
export class MemoryMode implements NetworkMode {
  readonly bootstrap = 'memory'
  readonly #network: MemoryNetwork
  readonly #host: MemoryHost

  constructor(network: MemoryNetwork, host: MemoryHost) {
    this.#network = network
    this.#host = host
  }

  createDht(): HyperDHT {
    return new MemoryDht(this.#network, this.#host)
  }

  shareBootstrap(): null {
    return null
  }

  dialable(addresses: readonly PeerAddress[]): readonly PeerAddress[] {
    return addresses
  }

  async answers(): Promise<boolean> {
    return this.#network.isDhtUp && !this.#network.isCut(this.#host.name)
  }
}
