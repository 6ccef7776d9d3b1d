import HyperDHT from 'hyperdht'
import type { PeerAddress } from '../../../helpers/discovery/remembered-peers.js'
import type { Clock } from '../../clock/clock.js'
import { BootstrapNode, isServing } from './bootstrap-node.js'
import type { NetworkMode } from './network-mode.js'

/** The loopback address: packets that are sent to it do not leave the machine. */
const LOOPBACK_HOST = '127.0.0.1'

/** Comes from the configuration. */
export interface LoopbackSettings {
  /** The UDP port of the bootstrap node that the workers of one machine share. */
  readonly bootstrapPort: number
  /** Between two checks of the holder of that port, in milliseconds. */
  readonly bootstrapWatchIntervalMs: number
}

/**
 * A mesh on one machine: no packet leaves it. The worker that comes first runs the bootstrap node, and another
 * one takes it over when that worker ends.
 */
export class LoopbackMode implements NetworkMode {
  readonly #address: HyperDHT.Address
  readonly #watchIntervalMs: number

  constructor({ bootstrapPort, bootstrapWatchIntervalMs }: LoopbackSettings) {
    this.#address = { host: LOOPBACK_HOST, port: bootstrapPort }
    this.#watchIntervalMs = bootstrapWatchIntervalMs
  }

  get bootstrap(): string {
    return `${this.#address.host}:${this.#address.port}`
  }

  createDht(): HyperDHT {
    // Nodes that do not take themselves for firewalled connect at once, and never fail to on one machine.
    return new HyperDHT({ bootstrap: [this.#address], host: LOOPBACK_HOST, firewalled: false })
  }

  shareBootstrap(options: { clock: Clock; onTaken?: (port: number) => void }): BootstrapNode {
    return new BootstrapNode({
      ...options,
      address: this.#address,
      watchIntervalMs: this.#watchIntervalMs,
      createProbe: () => this.createDht(),
    })
  }

  dialable(addresses: readonly PeerAddress[]): readonly PeerAddress[] {
    return addresses.filter(({ host }) => host === LOOPBACK_HOST)
  }

  async answers(dht: HyperDHT): Promise<boolean> {
    return await isServing(dht, this.#address)
  }
}
