import HyperDHT from 'hyperdht'
import { type Attacker, Counters } from './attacker.js'

const HOST = '127.0.0.1'

/** The port that the stranger holds. */
export const FOREIGN_BOOTSTRAP_PORT = 28_748

/** A stranger whose DHT node holds the bootstrap port of clients, and returns no workers. */
export async function foreignBootstrap(): Promise<Attacker> {
  const counters = new Counters()
  let node: HyperDHT | undefined
  return {
    async start() {
      node = HyperDHT.bootstrapper(FOREIGN_BOOTSTRAP_PORT, HOST, { host: HOST })
      await node.ready()
      counters.add('ports held')
    },
    async stop() {
      await node?.destroy({ force: true })
    },
    counts: () => counters.values,
  }
}
