import { configSchema } from '../../../config/schema.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { MeshEndpoint } from '../../../facilities/network/connection/mesh-endpoint.js'
import type { Target } from '../attacker-messages.js'
import { meshKeysOf, newIdentity } from '../member.js'
import { type Attacker, failureName, Tally } from './attacker.js'
import { findGateway, openDht } from './stranger.js'

const MEMBERS = 300
/** UDP ports that they come from. */
const PORTS = 10

/** 300 members who connect in the same moment, each with a certificate of its own. */
export async function crowd(target: Target): Promise<Attacker> {
  const keys = await meshKeysOf(target)
  const clock = new SystemClock()
  const { network: limits } = configSchema.parse({})
  const processes = Array.from({ length: PORTS }, () => openDht(target))
  const [first] = processes
  if (first === undefined) throw new Error('No node')
  const gateway = await findGateway(first, target)
  const nodes = Array.from({ length: MEMBERS }, (_, index) => {
    const dht = processes[index % PORTS] ?? first
    return new MeshEndpoint({ dht, identity: newIdentity(keys), clock, limits, service: null })
  })
  for (const node of nodes) await node.ready()
  const tally = new Tally()
  let slowestMs = 0
  let leaving = new AbortController()
  let coming: Promise<unknown> = Promise.resolve()
  const come = async (node: MeshEndpoint) => {
    const { signal } = leaving
    const startedAt = performance.now()
    tally.add('came')
    try {
      const connection = await node.dial(gateway.publicKey, gateway.addresses, signal)
      tally.add('connected')
      slowestMs = Math.max(slowestMs, performance.now() - startedAt)
      signal.addEventListener('abort', () => connection.destroy(), { once: true })
    } catch (error) {
      tally.add(failureName(error))
    }
  }
  return {
    async start() {
      leaving = new AbortController()
      coming = Promise.all(nodes.map(come))
    },
    async stop() {
      await coming
      leaving.abort()
    },
    figures: () => ({ ...tally.counts, 'ms until the slowest was connected': slowestMs }),
  }
}
