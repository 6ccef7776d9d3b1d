import test, { type Test } from 'brittle'
import HyperDHT from 'hyperdht'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { createLog } from '../../../facilities/log/log.js'
import { topicOf } from '../../../facilities/network/discovery/announcement.js'
import { MeshNetwork } from '../../../facilities/network/mesh-network.js'
import { WorkerWatch } from '../../../facilities/worker/worker-watch.js'
import { deriveRosterKey } from '../../../helpers/discovery/roster-key.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { rosterProtocol } from '../../../helpers/protocol/roster-protocol.js'
import { RosterWriter } from '../../../workers/auth/roster-writer.js'
import { Cleanup } from '../../helpers/cleanup.js'
import { localMode, occupyUdpPort } from '../../helpers/network/local-mesh.js'
import { MeshAuthority, newKeyPair, rosterSettings } from '../../helpers/network/mesh-authority.js'
import { firstConnection, TEST_LIMITS } from '../../helpers/network/mesh-fixture.js'
import { freeUdpPort } from '../../helpers/network/udp-port.js'
import { durableMemoryStore } from '../../helpers/storage/durable-memory.js'
import { createRecords } from '../../helpers/storage/local-records.js'
import { until, untilItWorks } from '../../helpers/until.js'

const HOST = '127.0.0.1'
const SQUATTERS = 200
/** In hyperdht/lib/constants.js. */
const ANNOUNCE = 4

const lines: string[] = []
const log = createLog({
  name: 'worker',
  level: 'warn',
  json: true,
  output: { write: (line) => lines.push(line) },
})

/** Whole networks of workers of one mesh, on a port of its own. */
async function scene(t: Test) {
  const clock = new SystemClock()
  const random = new SystemRandom()
  const authority = new MeshAuthority(clock)
  const cleanup = new Cleanup(t)
  const bootstrapPort = await freeUdpPort()
  const mode = localMode(bootstrapPort)
  const dht = () => {
    const node = mode.createDht()
    cleanup.add(() => node.destroy({ force: true }))
    return node
  }
  const network = (role: Role, identity = authority.identity(role)) => {
    const built = new MeshNetwork({
      role,
      mode,
      secret: authority.secret,
      identity,
      clock,
      random,
      log,
      settings: {
        ...TEST_LIMITS,
        announceIntervalMs: 100,
        lookupIntervalMs: 200,
        drainTimeoutMs: 0,
      },
      roster: rosterSettings(authority.root),
    })
    cleanup.add(() => built.close())
    return built
  }
  /** An auth worker that writes the roster. */
  const auth = async () => {
    const identity = authority.identity('auth')
    const built = network('auth', identity)
    const store = durableMemoryStore()
    cleanup.add(() => store.close())
    const records = createRecords(store)
    cleanup.add(() => records.close())
    const writer = new RosterWriter({
      records,
      rosterKey: deriveRosterKey(authority.root),
      secret: authority.secret,
      identity,
      keeper: built.roster,
      clock,
      log,
    })
    built.service.unary(rosterProtocol.enlist, async (_request, { peer }) => ({
      sequence: await writer.enlist(peer.certificate),
    }))
    await built.ready()
    cleanup.add(() => writer.close())
    await writer.ready()
    return built
  }
  /** How a worker says that it is. */
  const watch = (role: Role, network: MeshNetwork) => {
    const built = new WorkerWatch({
      role,
      identity: { name: role },
      clock,
      log,
      network,
      worker: { problems: () => [], metrics: [] },
      version: '0.0.0',
      metrics: { port: 0, host: HOST },
    })
    cleanup.add(() => built.close())
    return built
  }
  return { authority, cleanup, bootstrapPort, dht, network, auth, watch }
}

test('should find a gateway by the roster when silent strangers crowd its topic', async (t) => {
  const { authority, dht, network, auth } = await scene(t)
  const written = await auth()
  const gateway = network('gateway')
  await gateway.ready()
  await until('the gateway on the roster', () => written.roster.entries.length === 2)
  const crowd = dht()
  const topic = topicOf(authority.secret, 'gateway')
  const port = await freeUdpPort()
  await occupyUdpPort(t, port)
  await Promise.all(
    Array.from({ length: SQUATTERS }, () =>
      crowd.announce(topic, newKeyPair(), [{ host: HOST, port }]).finished(),
    ),
  )
  const startedAt = performance.now()
  // It remembers nobody and was handed nothing.
  const newcomer = network('client')
  const peers = await newcomer.look('gateway')
  const connection = await firstConnection(peers, 2_000)
  t.ok(connection.identity.certificate.roles.includes('gateway'))
  t.comment(`${Math.round(performance.now() - startedAt)} ms`)
})

test('should be found by its key when the node that knew it was replaced by an empty one', async (t) => {
  const { authority, dht, network, bootstrapPort } = await scene(t)
  const first = HyperDHT.bootstrapper(bootstrapPort, HOST, { host: HOST })
  await first.ready()
  const identity = authority.identity('gateway')
  const gateway = network('gateway', identity)
  await gateway.ready()
  await first.destroy()
  // The gateway holds the port now.
  const stranger = dht()
  const { publicKey } = identity.keyPair
  const find = async () => {
    for await (const { peer } of stranger.findPeer(publicKey)) return peer
    throw new Error('not found')
  }
  const peer = await untilItWorks('finding it by its key', find, 4_000)
  t.alike(peer.publicKey, publicKey)
})

test('should say that it is not discoverable when the node on the bootstrap port belongs to a stranger', async (t) => {
  const { cleanup, network, watch, bootstrapPort } = await scene(t)
  const stranger = HyperDHT.bootstrapper(bootstrapPort, HOST, { host: HOST })
  let stores = false
  const answer = stranger.onrequest.bind(stranger)
  // It answers as a node does, and stores nothing.
  stranger.onrequest = (request) => {
    if (stores || request.command !== ANNOUNCE) return answer(request)
    request.reply(null)
    return true
  }
  await stranger.ready()
  cleanup.add(() => stranger.destroy())
  const gateway = network('gateway')
  const own = watch('gateway', gateway)
  const readiness = () => own.readiness()
  await gateway.ready()
  t.ok(readiness().ready, 'it is not known yet')
  await until('the report', () => !readiness().ready)
  t.alike(readiness().reasons, [
    {
      code: 'NOT_DISCOVERABLE',
      message:
        'This worker is not discoverable: ' +
        `the node at ${HOST}:${bootstrapPort} does not return its announcement`,
    },
  ])
  t.ok(lines.some((line) => line.includes('not discoverable')))
  stores = true
  await until('the recovery', () => readiness().ready)
  t.pass('it is found again')
})
