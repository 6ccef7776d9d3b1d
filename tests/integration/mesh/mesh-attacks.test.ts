import test, { type Test } from 'brittle'
import type HyperDHT from 'hyperdht'
import { configSchema } from '../../../config/schema.js'
import { type HandChannel, openByHand } from '../../helpers/network/echo-channels.js'
import { HelloSpeaker } from '../../helpers/network/hello-speaker.js'
import {
  idOf,
  nestedBatches,
  openingOf,
  proveByHand,
  streamByHand,
} from '../../helpers/network/hostile-peer.js'
import { LocalMesh } from '../../helpers/network/local-mesh.js'
import { newKeyPair } from '../../helpers/network/mesh-authority.js'
import {
  type FixtureNode,
  firstConnection,
  TEST_LIMITS,
} from '../../helpers/network/mesh-fixture.js'
import { count, echo, sampleLog, sampleService } from '../../helpers/network/sample-service.js'
import { until } from '../../helpers/until.js'

/** Connects as anybody can. */
function connect(t: Test, mesh: LocalMesh, gateway: FixtureNode, dht = mesh.dht()) {
  const stream = dht.connect(gateway.identity.keyPair.publicKey, {
    keyPair: newKeyPair(),
    relayAddresses: [...gateway.node.addresses],
  })
  stream.on('error', () => {})
  t.teardown(() => stream.destroy(), { order: -1 })
  return stream
}

function write(stream: HyperDHT.SecretStream, bytes: Uint8Array): void {
  Object(stream).write(bytes)
}

/** A client finds the gateway and is served; returns how long that took. */
async function serves(t: Test, mesh: LocalMesh): Promise<number> {
  const startedAt = performance.now()
  const peers = mesh.peers('gateway', await mesh.node('client'))
  await peers.ready()
  const connection = await firstConnection(peers)
  t.alike(await connection.call(echo, { text: 'hi' }, mesh.call()), { text: 'hi' })
  return Math.round(performance.now() - startedAt)
}

test('should admit a valid client soon when hundreds connect and never send a hello', async (t) => {
  const mesh = await LocalMesh.open(t)
  const gateway = await mesh.announced('gateway', {
    service: sampleService(),
    limits: { maxUnverifiedConnections: 128 },
  })
  const dht = mesh.dht()
  const flood = Array.from({ length: 300 }, () => connect(t, mesh, gateway, dht))
  await until('the first of the flood', () => flood.some((stream) => Object(stream).connected))
  const elapsedMs = await serves(t, mesh)
  const { unverified } = gateway.node.connectionCounts
  t.ok(unverified <= 32, `${unverified} connections of one process were accepted`)
  t.ok(elapsedMs < TEST_LIMITS.helloTimeoutMs + 2_500, `${elapsedMs} ms`)
})

test('should admit 200 members within seconds when they connect at once during a silent flood', async (t) => {
  const mesh = await LocalMesh.open(t)
  const { network: limits } = configSchema.parse({})
  const gateway = await mesh.announced('gateway', { service: sampleService(), limits })
  const processes = Array.from({ length: 10 }, () => mesh.dht())
  const members = await Promise.all(
    Array.from({ length: 200 }, (_, index) => {
      const dht = processes[index % processes.length]
      return mesh.node('client', { limits, ...(dht && { dht }) })
    }),
  )
  const flooder = mesh.dht()
  for (let index = 0; index < 300; index += 1) connect(t, mesh, gateway, flooder)
  const connections = await Promise.all(members.map((member) => mesh.dial(member, gateway)))
  t.ok(connections.every(({ isOpen }) => isOpen))
  t.ok(await until('all', () => gateway.node.connectionCounts.proved === 200))
})

test('should close the connection of a peer that sends more than a hello before it is verified', async (t) => {
  const mesh = await LocalMesh.open(t)
  const gateway = await mesh.announced('gateway', { service: sampleService() })
  const attacks: ((stream: HyperDHT.SecretStream) => void)[] = [
    (stream) => write(stream, Buffer.alloc(8 * 1024 * 1024, 1)),
    (stream) => {
      for (let i = 0; i < 200; i += 1) write(stream, Buffer.alloc(1_000, 1))
    },
    (stream) => new HelloSpeaker(stream).sayBytes('hello', Buffer.alloc(100_000, 0x20)),
  ]
  for (const [i, attack] of attacks.entries()) {
    const stream = connect(t, mesh, gateway)
    await stream.opened
    const startedAt = performance.now()
    attack(stream)
    await until(`the end of connection ${i}`, () => stream.destroyed)
    const elapsedMs = performance.now() - startedAt
    t.ok(elapsedMs < TEST_LIMITS.helloTimeoutMs, `cut after ${Math.round(elapsedMs)} ms`)
  }
  await serves(t, mesh)
})

test('should keep running when a dialled worker nests batches before the hello', async (t) => {
  const mesh = await LocalMesh.open(t)
  const dht = mesh.dht()
  const keyPair = newKeyPair()
  const server = dht.createServer({})
  let hits = 0
  server.on('connection', (stream: HyperDHT.SecretStream) => {
    hits += 1
    stream.on('error', () => {})
    write(stream, nestedBatches(3_000))
  })
  await server.listen(keyPair)
  await dht.announce(mesh.topic('gateway'), keyPair, server.relayAddresses).finished()
  const peers = mesh.peers('gateway', await mesh.node('client'))
  await peers.ready()
  await until('the attack', () => hits > 0)
  await mesh.announced('gateway', { service: sampleService() })
  const connection = await firstConnection(peers)
  t.alike(await connection.call(echo, { text: 'hi' }, mesh.call()), { text: 'hi' })
})

test('should keep running when a peer announces unreachable addresses', async (t) => {
  const mesh = await LocalMesh.open(t)
  const dht = mesh.dht()
  const wrong = [
    [{ host: '127.0.0.1', port: 0 }],
    [{ host: '0.0.0.0', port: 65_535 }],
    [{ host: '255.255.255.255', port: 1 }],
    [],
  ]
  for (const addresses of wrong) {
    await dht.announce(mesh.topic('gateway'), newKeyPair(), addresses).finished()
  }
  const peers = mesh.peers('gateway', await mesh.node('client'))
  await peers.ready()
  await mesh.announced('gateway', { service: sampleService() })
  t.ok((await firstConnection(peers)).isOpen)
})

test('should stop the handler soon when its caller is killed', async (t) => {
  const mesh = await LocalMesh.open(t)
  const log = sampleLog()
  const gateway = await mesh.announced('gateway', { service: sampleService(log) })
  const client = await mesh.node('client')
  const connection = await mesh.dial(client, gateway)
  const stream = connection.open(count, { to: 1_000 }, mesh.call())
  await stream.next()
  t.is(log.running, 1)
  await client.dht.destroy({ force: true })
  await until('the handler to end', () => log.running === 0, 2_000)
  await stream.return({ total: 0 })
})

test('should serve others when a member uses all credit and reads nothing', async (t) => {
  const mesh = await LocalMesh.open(t)
  const gateway = await mesh.announced('gateway', {
    service: sampleService(),
    limits: { maxStreamsPerKey: 4 },
  })
  const identity = mesh.authority.identity('client')
  const stream = mesh.dht().connect(gateway.identity.keyPair.publicKey, {
    keyPair: identity.keyPair,
    relayAddresses: [...gateway.node.addresses],
  })
  t.teardown(() => stream.destroy(), { order: -1 })
  const { mux } = await proveByHand(stream, identity)
  Object(stream).pause()
  for (let i = 0; i < 4; i += 1) {
    streamByHand(mux, idOf(i), openingOf(count.name, { to: 1_000_000 }, { credit: 4_096 }))
  }
  await serves(t, mesh)
})

test('should keep its connection and serve others when a member opens channels that nobody offers', async (t) => {
  const mesh = await LocalMesh.open(t)
  let refused = 0
  const gateway = await mesh.announced('gateway', {
    service: sampleService(),
    events: {
      onChannelRefused: () => {
        refused += 1
      },
    },
  })
  const identity = mesh.authority.identity('client')
  const stream = mesh.dht().connect(gateway.identity.keyPair.publicKey, {
    keyPair: identity.keyPair,
    relayAddresses: [...gateway.node.addresses],
  })
  t.teardown(() => stream.destroy(), { order: -1 })
  const early: HandChannel[] = []
  const { mux } = await proveByHand(stream, identity, async (mux) => {
    for (let n = 0; n < 10; n += 1) early.push(openByHand(mux, 'test/unknown', idOf(n)))
  })
  await until('the rejections', () => early.every(({ state }) => state.isClosed))
  for (let round = 0; round < 50; round += 1) {
    const channels = Array.from({ length: 100 }, (_, n) => openByHand(mux, `test/${n}`, idOf(n)))
    await until('the rejections', () => channels.every(({ state }) => state.isClosed))
  }
  t.is(refused, 5_010)
  await serves(t, mesh)
  const hand = streamByHand(mux, idOf(1), openingOf(count.name, { to: 1 }))
  await until('the answer', () => hand.heard.some(({ kind }) => kind === 'end'))
})
