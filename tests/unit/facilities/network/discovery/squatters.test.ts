import test, { type Test } from 'brittle'
import type HyperDHT from 'hyperdht'
import { KnownPeers } from '../../../../../facilities/network/discovery/known-peers.js'
import { newKeyPair } from '../../../../helpers/network/mesh-authority.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { pipeStreams } from '../../../../helpers/network/piped-streams.js'
import { sampleService } from '../../../../helpers/network/sample-service.js'
import { SeededRandom } from '../../../../helpers/seeded-random.js'
import { settle } from '../../../../helpers/until.js'

const LOOK_MS = 500
const SQUATTERS = 200
/** Where the worker is that the tests look for. */
const HOME = { host: '127.0.0.1', port: 1 }
const ELSEWHERE = { host: '127.0.0.1', port: 2 }

/**
 * A client that looks for a gateway, which accepts connections at HOME alone. All other keys, and the key of the
 * gateway at other addresses, open a connection and say nothing.
 */
async function scene(t: Test, lookMs = LOOK_MS) {
  const mesh = new PipedMesh(t)
  const known = new KnownPeers({ clock: mesh.clock, store: null })
  const gateway = await mesh.node('gateway', { service: sampleService() })
  const { publicKey } = gateway.identity.keyPair
  const dht = mesh.network.dht()
  const { connect } = mesh.network.dht()
  const dialled: string[] = []
  dht.connect.callsFake((key, options) => {
    const port = options?.relayAddresses?.[0]?.port
    const isGateway = Buffer.from(publicKey).equals(Buffer.from(key))
    if (isGateway && port === HOME.port) return connect(key, options)
    dialled.push(`${Buffer.from(key).toString('hex')} ${port}`)
    const silent = pipeStreams()
    // As a connection that leads nowhere does.
    if (isGateway) silent.initiatorEnd.stall()
    return silent.initiator
  })
  const peers = mesh.peers(
    'gateway',
    await mesh.node('client', { dht, limits: { helloTimeoutMs: 3_000 } }),
    {
      intervalMs: lookMs,
      known,
      random: new SeededRandom(1),
    },
  )
  const squatters = Array.from({ length: SQUATTERS }, () => squatter())
  return { mesh, known, peers, publicKey, dialled, squatters }
}

function squatter(): HyperDHT.Peer {
  return { publicKey: newKeyPair().publicKey, relayAddresses: [{ host: '127.0.0.1', port: 9 }] }
}

type Scene = Awaited<ReturnType<typeof scene>>

function list({ mesh }: Scene, peers: readonly HyperDHT.Peer[]): void {
  mesh.network.announce(mesh.topic('gateway'), ...peers)
}

/** Moves time on until the gateway is connected. @returns how long that took, in milliseconds */
async function timeToConnect({ mesh, peers }: Scene, mostMs: number): Promise<number> {
  const startedAt = mesh.time.monotonic()
  while (peers.connections.length === 0 && mesh.time.monotonic() - startedAt < mostMs) {
    await settle(3)
    if (peers.connections.length === 0) await mesh.time.advance(LOOK_MS / 2)
  }
  return peers.connections.length === 1 ? mesh.time.monotonic() - startedAt : Infinity
}

test('should connect to a remembered worker at once when 200 silent keys are announced', async (t) => {
  const on = await scene(t)
  on.known.learn([{ role: 'gateway', publicKey: on.publicKey, addresses: [HOME] }], 'proved')
  list(on, on.squatters)
  await on.peers.ready()
  await settle(10)
  t.is(on.peers.connections.length, 1)
})

test('should connect to a worker as soon as the roster names it when 200 silent keys are announced', async (t) => {
  const on = await scene(t)
  list(on, on.squatters)
  await on.peers.ready()
  await on.mesh.time.advance(2_000)
  on.known.learn([{ role: 'gateway', publicKey: on.publicKey, addresses: [HOME] }], 'roster')
  await settle(10)
  t.is(on.peers.connections.length, 1)
})

test('should find a remembered worker at its new address at once when 200 silent keys are announced', async (t) => {
  const on = await scene(t)
  on.known.learn([{ role: 'gateway', publicKey: on.publicKey, addresses: [ELSEWHERE] }], 'proved')
  list(on, [...on.squatters, { publicKey: on.publicKey, relayAddresses: [HOME] }])
  await on.peers.ready()
  await settle(10)
  t.is(on.peers.connections.length, 1)
})

test('should connect to a remembered worker when the DHT names a wrong address at each look', async (t) => {
  const on = await scene(t)
  on.known.learn([{ role: 'gateway', publicKey: on.publicKey, addresses: [HOME] }], 'proved')
  await on.peers.ready()
  await settle(10)
  on.peers.connections[0]?.destroy()
  for (let port = 10; port < 20; port += 1) {
    list(on, [{ publicKey: on.publicKey, relayAddresses: [{ host: '127.0.0.1', port }] }])
    await on.mesh.time.advance(LOOK_MS)
    await settle(5)
  }
  t.is(on.peers.connections.length, 1)
})

test('should leave silent keys alone for longer and longer when they say nothing again', async (t) => {
  const on = await scene(t, 15_000)
  const few = on.squatters.slice(0, 4)
  list(on, few)
  await on.peers.ready()
  await on.mesh.time.advance(2_000)
  t.is(on.dialled.length, 4)
  const again = few.map((peer, index) => ({
    ...peer,
    relayAddresses: [{ host: '127.0.0.1', port: 100 + index }],
  }))
  list(on, again)
  await on.mesh.time.advance(20_000)
  t.is(on.dialled.length, 4, 'another address does not help them')
  for (let minute = 0; minute < 60; minute += 1) await on.mesh.time.advance(60_000)
  const each = on.dialled.length / 4
  t.ok(each >= 5 && each <= 10, `${each} dials of each in an hour`)
})

test('should keep a remembered worker when 40 new keys are announced in each second', async (t) => {
  const on = await scene(t)
  on.known.learn([{ role: 'gateway', publicKey: on.publicKey, addresses: [HOME] }], 'proved')
  await on.peers.ready()
  await settle(10)
  for (let look = 0; look < 8; look += 1) {
    const flood = Array.from({ length: 20 }, () => squatter())
    list(on, flood)
    await on.mesh.time.advance(LOOK_MS)
  }
  on.peers.connections[0]?.destroy()
  t.ok((await timeToConnect(on, 5_000)) <= 1_000)
})
