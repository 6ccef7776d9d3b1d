import { configSchema } from '../../../config/schema.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { MeshEndpoint } from '../../../facilities/network/connection/mesh-endpoint.js'
import type { Target } from '../attacker-messages.js'
import { meshKeysOf, newIdentity } from '../member.js'
import { type Attacker, Counters, failureName } from './attacker.js'
import { findGateway, openDht } from './stranger.js'

const MEMBERS = 300
/** The UDP ports that they connect from. */
const PORTS = 10

/** 300 members who connect at the same time, each with a certificate of its own. */
export async function simultaneousMembers(target: Target): Promise<Attacker> {
  const keys = await meshKeysOf(target)
  const clock = new SystemClock()
  const { network: limits } = configSchema.parse({})
  const dhts = Array.from({ length: PORTS }, () => openDht(target))
  const [first] = dhts
  if (first === undefined) throw new Error('No node')
  const gateway = await findGateway(first, target)
  const nodes = Array.from({ length: MEMBERS }, (_, index) => {
    const dht = dhts[index % PORTS] ?? first
    return new MeshEndpoint({ dht, identity: newIdentity(keys), clock, limits, service: null })
  })
  for (const node of nodes) await node.ready()
  const counters = new Counters()
  let slowestMs = 0
  let stop = new AbortController()
  let connecting: Promise<unknown> = Promise.resolve()
  const connect = async (node: MeshEndpoint) => {
    const { signal } = stop
    const startedAt = performance.now()
    counters.add('attempts')
    try {
      const connection = await node.dial(gateway.publicKey, gateway.addresses, signal)
      counters.add('connected')
      slowestMs = Math.max(slowestMs, performance.now() - startedAt)
      signal.addEventListener('abort', () => connection.destroy(), { once: true })
    } catch (error) {
      counters.add(failureName(error))
    }
  }
  return {
    async start() {
      stop = new AbortController()
      connecting = Promise.all(nodes.map(connect))
    },
    async stop() {
      await connecting
      stop.abort()
    },
    counts: () => ({ ...counters.values, 'ms for the slowest connection': slowestMs }),
  }
}
