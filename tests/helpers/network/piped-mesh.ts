import type { Test } from 'brittle'
import type { Service } from '../../../facilities/network/calls/service.js'
import type { OutgoingConnection } from '../../../facilities/network/connection/outgoing-connection.js'
import { VirtualClock } from '../clock/virtual-clock.js'
import { type FixtureNode, MeshFixture, type NodeOptions } from './mesh-fixture.js'
import { PipedNetwork } from './piped-network.js'
import type { PipedStreams } from './piped-streams.js'

/** A mesh for one test in memory: no network, and a virtual clock. */
export class PipedMesh extends MeshFixture {
  readonly time: VirtualClock
  readonly network: PipedNetwork

  constructor(t: Test) {
    const clock = new VirtualClock()
    const network = new PipedNetwork()
    super(t, { clock, createDht: () => network.dht() })
    this.time = clock
    this.network = network
  }

  /** A gateway, a client, and a verified connection from the client to it. */
  async connected(
    service: Service,
    options: { gateway?: NodeOptions; client?: NodeOptions } = {},
  ): Promise<{
    connection: OutgoingConnection
    piped: PipedStreams
    gateway: FixtureNode
    client: FixtureNode
  }> {
    const gateway = await this.node('gateway', { service, ...options.gateway })
    const client = await this.node('client', options.client)
    const connection = await this.dial(client, gateway)
    const piped = this.network.connections.at(-1)
    if (piped === undefined) throw new Error('Nothing was dialled')
    return { connection, piped, gateway, client }
  }
}
