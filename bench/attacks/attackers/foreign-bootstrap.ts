import HyperDHT from 'hyperdht'
import { type Attacker, Tally } from './attacker.js'

const HOST = '127.0.0.1'

/** The port that a stranger holds. */
export const FOREIGN_BOOTSTRAP_PORT = 28_748

/** A stranger who holds the port that clients begin at, and knows of nobody. */
export async function foreignBootstrap(): Promise<Attacker> {
  const tally = new Tally()
  let node: HyperDHT | undefined
  return {
    async start() {
      node = HyperDHT.bootstrapper(FOREIGN_BOOTSTRAP_PORT, HOST, { host: HOST })
      await node.ready()
      tally.add('ports held')
    },
    async stop() {
      await node?.destroy({ force: true })
    },
    figures: () => tally.counts,
  }
}
