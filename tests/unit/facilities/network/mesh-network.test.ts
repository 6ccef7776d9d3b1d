import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { createLog } from '../../../../facilities/log/log.js'
import { topicOf } from '../../../../facilities/network/discovery/announcement.js'
import { MeshNetwork } from '../../../../facilities/network/mesh-network.js'
import type { NetworkMode } from '../../../../facilities/network/modes/network-mode.js'
import type { Role } from '../../../../helpers/identity/roles.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { MeshAuthority, rosterSettings } from '../../../helpers/network/mesh-authority.js'
import { firstConnection, TEST_LIMITS } from '../../../helpers/network/mesh-fixture.js'
import { PipedNetwork } from '../../../helpers/network/piped-network.js'
import { echo, requestOptions } from '../../../helpers/network/sample-service.js'

const BOOTSTRAP_PORT = 4_000
const NEAR = { host: '127.0.0.1', port: 1 }
const FAR = { host: '192.0.2.1', port: 1 }

/** Whole networks of workers of one mesh, in a network in memory. */
function scene(t: Test) {
  const clock = new VirtualClock()
  const authority = new MeshAuthority(clock)
  const cleanup = new Cleanup(t)
  const piped = new PipedNetwork()
  const shares: string[] = []
  const nodes: ReturnType<PipedNetwork['dht']>[] = []
  /** A worker. Not ready yet. */
  const network = (role: Role, identity = authority.identity(role)) => {
    const mode: NetworkMode = {
      bootstrap: 'memory',
      createDht: () => {
        const dht = piped.dht()
        dht.mutableGet.resolves(null)
        nodes.push(dht)
        return dht
      },
      shareBootstrap: ({ onTaken }) => ({
        ready: async () => {
          shares.push(`${role} opens`)
          onTaken?.(BOOTSTRAP_PORT)
        },
        retire: () => shares.push(`${role} retires`),
        close: async () => void shares.push(`${role} closes`),
      }),
      dialable: (addresses) => addresses.filter(({ host }) => host === NEAR.host),
      answers: async () => true,
    }
    const built = new MeshNetwork({
      role,
      mode,
      secret: authority.secret,
      identity,
      clock,
      random: new SystemRandom(),
      log: createLog({ name: role, level: 'silent', json: true, output: process.stderr }),
      settings: {
        ...TEST_LIMITS,
        announceIntervalMs: 200,
        lookupIntervalMs: 200,
        drainTimeoutMs: 0,
      },
      roster: rosterSettings(authority.root),
    })
    built.service.unary(echo, async ({ text }) => ({ text }))
    cleanup.add(() => built.close())
    return built
  }
  /** Announces a worker on the topic of its role. */
  const announce = (role: Role, ...keys: Uint8Array[]) => {
    const peers = keys.map((publicKey) => ({ publicKey, relayAddresses: [FAR, NEAR] }))
    piped.announce(topicOf(authority.secret, role), ...peers)
  }
  return { authority, clock, network, announce, shares, nodes }
}

test('should join whatever network its mode opens', async (t) => {
  const { authority, clock, network, announce, nodes } = scene(t)
  const identity = authority.identity('gateway')
  const gateway = network('gateway', identity)
  await gateway.ready()
  announce('gateway', identity.keyPair.publicKey)
  const client = network('client')
  const connection = await firstConnection(await client.look('gateway'))
  t.alike(await connection.call(echo, { text: 'hi' }, requestOptions(clock)), { text: 'hi' })
  const dialled = nodes
    .at(-1)
    ?.connect.getCalls()
    .map(({ args }) => args[1]?.relayAddresses)
  t.alike(dialled, [[NEAR]], 'only where that network reaches')
  t.alike(await client.pingBootstrap(), { address: 'memory', isReachable: true })
})

test('should take its part in the bootstrap node when it serves, and leave it last', async (t) => {
  const { network, shares } = scene(t)
  const taken: number[] = []
  const gateway = network('gateway')
  gateway.observe({ onBootstrapTaken: (port) => taken.push(port) })
  await gateway.ready()
  t.alike(taken, [BOOTSTRAP_PORT])
  await gateway.close()
  t.alike(shares, ['gateway opens', 'gateway retires', 'gateway closes'])
  await network('client').ready()
  t.is(shares.length, 3, 'a client has no part in it')
})
