import { configSchema } from '../../../config/schema.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { MeshEndpoint } from '../../../facilities/network/connection/mesh-endpoint.js'
import type { Target } from '../attacker-messages.js'
import { meshKeysOf, newIdentity } from '../member.js'
import { type Attacker, Counters, repeated } from './attacker.js'
import { findGateway, openDht } from './stranger.js'

const CONNECTIONS = 1_030
/** The UDP ports that they connect from. */
const PORTS = 10

/** One certificate with 1,030 connections. Each dials again a second after it was refused or closed. */
export async function manyConnections(target: Target): Promise<Attacker> {
  const identity = newIdentity(await meshKeysOf(target))
  const clock = new SystemClock()
  const { network: limits } = configSchema.parse({})
  const nodes = Array.from({ length: PORTS }, () => {
    const dht = openDht(target)
    return { dht, node: new MeshEndpoint({ dht, identity, clock, limits, service: null }) }
  })
  const [first] = nodes
  if (first === undefined) throw new Error('No node')
  const gateway = await findGateway(first.dht, target)
  for (const { node } of nodes) await node.ready()
  const counters = new Counters()
  return repeated({
    atOnce: CONNECTIONS,
    pauseMs: 1_000,
    counters,
    async step(signal, index) {
      const { node } = nodes[index % nodes.length] ?? first
      const connection = await node.dial(gateway.publicKey, gateway.addresses, signal)
      signal.addEventListener('abort', () => connection.destroy(), { once: true })
      await connection.closed
    },
  })
}
