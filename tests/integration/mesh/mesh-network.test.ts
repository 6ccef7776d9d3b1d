import { existsSync, readFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { Home } from '../../../facilities/home/home.js'
import { PeersFile } from '../../../facilities/home/peers-file.js'
import { createLog } from '../../../facilities/log/log.js'
import type { Peers } from '../../../facilities/network/calls/peers.js'
import { MeshNetwork } from '../../../facilities/network/mesh-network.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { Cleanup } from '../../helpers/cleanup.js'
import {
  ECHO_PROTOCOL,
  echoProtocol,
  type HandChannel,
  openByHand,
} from '../../helpers/network/echo-channels.js'
import { localMode, occupyUdpPort } from '../../helpers/network/local-mesh.js'
import { MeshAuthority, rosterSettings } from '../../helpers/network/mesh-authority.js'
import { firstConnection, TEST_LIMITS } from '../../helpers/network/mesh-fixture.js'
import { echo, requestOptions } from '../../helpers/network/sample-service.js'
import { freeUdpPort } from '../../helpers/network/udp-port.js'
import { rejectionOf, until } from '../../helpers/until.js'

/** Whole networks of workers of one mesh, on a port of its own. */
async function scene(t: Test) {
  const clock = new SystemClock()
  const authority = new MeshAuthority(clock)
  const cleanup = new Cleanup(t)
  const bootstrapPort = await freeUdpPort()
  const lines: string[] = []
  const output = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  const home = await Home.open(await t.tmp())
  await home.folder('mesh')
  const network = (role: Role, port = bootstrapPort) => {
    const log = createLog({ name: role, level: 'debug', json: true, output })
    const random = new SystemRandom()
    const built = new MeshNetwork({
      role,
      mode: localMode(port),
      secret: authority.secret,
      identity: authority.identity(role),
      clock,
      random,
      log,
      peerStore: new PeersFile({ home, mesh: authority.mesh, clock, random, log }),
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
  return { network, lines, clock, bootstrapPort, peersPath: home.path('mesh', 'peers.json') }
}

test('should find, call and log when a gateway and a client start', async (t) => {
  const { network, lines, clock } = await scene(t)
  await network('gateway').ready()
  const peers = await network('client').look('gateway')
  const connection = await firstConnection(peers)
  const answer = await connection.call(echo, { text: 'a secret' }, requestOptions(clock))
  t.alike(answer, { text: 'a secret' })
  const log = lines.join('')
  t.ok(log.includes('holding the bootstrap port'))
  t.ok(log.includes('gateway@test'), 'who was connected to')
  t.absent(log.includes('a secret'))
})

test('should answer a protocol that a facility offers when another worker opens it', async (t) => {
  const { network } = await scene(t)
  const gateway = network('gateway')
  gateway.protocols.offer(echoProtocol())
  await gateway.ready()
  const client = network('client')
  const channels: HandChannel[] = []
  client.protocols.offer({
    name: 'test/asking',
    mayOpen: () => true,
    attach: ({ mux }) => void channels.push(openByHand(mux, ECHO_PROTOCOL)),
  })
  await client.look('gateway')
  const channel = await until('a connection', () => channels[0])
  channel.send('hi')
  await until('the echo', () => channel.heard[0] === 'hi')
  t.pass('it was echoed')
})

test('should look for a role once when it is requested several times', async (t) => {
  const { network } = await scene(t)
  const client = network('client')
  t.is(client.peers('gateway'), client.peers('gateway'))
  t.is(await client.look('gateway'), client.peers('gateway'))
})

test('should connect the workers of one role to each other when they look for it', async (t) => {
  const { network } = await scene(t)
  const [one, other] = [network('gateway'), network('gateway')]
  const ones = await one.look('gateway')
  const others = await other.look('gateway')
  await until('each other', () => ones.connections.length + others.connections.length === 2)
  const keyOf = ({ connections }: Peers) => connections[0]?.identity.publicKey
  t.unlike(keyOf(ones), keyOf(others))
  // The end that dials knows first that both ends are authenticated.
  const dialled = () => [one, other].map(({ connectionCounts }) => connectionCounts.proved)
  await until('both ends', () => dialled().every((proved) => proved > 0))
  t.alike(dialled(), [1, 1], 'nobody has dialled itself')
})

test('should move the bootstrap node to another worker when the one that holds the port shuts down', async (t) => {
  const { network } = await scene(t)
  const first = network('gateway')
  await first.ready()
  await network('gateway').ready()
  const peers = await network('client').look('gateway')
  await until('both gateways', () => peers.connections.length === 2)
  const startedAt = performance.now()
  await first.close()
  t.ok(performance.now() - startedAt < 1_500, 'it does not take long to leave')
  await until('one gateway', () => peers.connections.length === 1)
  await network('gateway').ready()
  await until('the newcomer, found through the heir', () => peers.connections.length === 2, 4_000)
})

test('should leave nothing open when something else uses the bootstrap port', async (t) => {
  const { network, bootstrapPort } = await scene(t)
  await occupyUdpPort(t, bootstrapPort)
  const error = Object(await rejectionOf(network('gateway').ready()))
  t.is(error.code, 'BOOTSTRAP_UNAVAILABLE')
})

test('should say whether the bootstrap node answers when a client asks', async (t) => {
  const { network, bootstrapPort } = await scene(t)
  const client = network('client')
  await client.ready()
  const address = `127.0.0.1:${bootstrapPort}`
  t.alike(await client.pingBootstrap(), { address, isReachable: false })
  await network('gateway').ready()
  t.alike(await client.pingBootstrap(), { address, isReachable: true })
})

test('should find workers of its home without a DHT, also those that were never connected', async (t) => {
  const { network, peersPath } = await scene(t)
  await Promise.all([network('gateway').ready(), network('processor').ready()])
  const isSaved = (role: Role) => existsSync(peersPath) && readFileSync(peersPath).includes(role)
  await until('both to be saved', () => isSaved('gateway') && isSaved('processor'))
  const lonely = network('client', await freeUdpPort())
  for (const role of ['gateway', 'processor'] as const) {
    t.ok((await firstConnection(await lonely.look(role), 1_500)).isOpen)
  }
})
