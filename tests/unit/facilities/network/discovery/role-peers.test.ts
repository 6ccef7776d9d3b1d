import test, { type Test } from 'brittle'
import type HyperDHT from 'hyperdht'
import type { SinonStubbedInstance } from 'sinon'
import type { OutgoingConnection } from '../../../../../facilities/network/connection/outgoing-connection.js'
import { KnownPeers } from '../../../../../facilities/network/discovery/known-peers.js'
import type { RolePeers } from '../../../../../facilities/network/discovery/role-peers.js'
import type { Identity } from '../../../../../helpers/identity/identity.js'
import { proveByHand } from '../../../../helpers/network/hostile-peer.js'
import { MeshAuthority, newKeyPair } from '../../../../helpers/network/mesh-authority.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { pipeStreams } from '../../../../helpers/network/piped-streams.js'
import { sampleService } from '../../../../helpers/network/sample-service.js'
import { settle, until } from '../../../../helpers/until.js'

const INTERVAL_MS = 200

type PeersOptions = NonNullable<Parameters<PipedMesh['peers']>[2]>

interface Scene {
  readonly mesh: PipedMesh
  readonly dht: SinonStubbedInstance<HyperDHT>
  readonly peers: RolePeers
  readonly connected: OutgoingConnection[]
  readonly failures: unknown[]
  /** Sets whom a lookup finds, by key or by key and port. */
  list(...peers: (Uint8Array | [Uint8Array, number])[]): void
}

/** A client that looks for gateways, and a topic that the test fills. */
async function scene(t: Test, options: Pick<PeersOptions, 'dialable'> = {}): Promise<Scene> {
  const mesh = new PipedMesh(t)
  const dht = mesh.network.dht()
  const client = await mesh.node('client', { dht })
  const failures: unknown[] = []
  const peers = mesh.peers('gateway', client, {
    ...options,
    intervalMs: INTERVAL_MS,
    onDialFailed: (error) => failures.push(Object(error).code),
  })
  const connected: OutgoingConnection[] = []
  peers.on('connected', (connection) => connected.push(connection))
  const list: Scene['list'] = (...found) => {
    const listed = found.map((peer) => {
      const [publicKey, port] = Array.isArray(peer) ? peer : [peer, 1]
      return { publicKey, relayAddresses: [{ host: '127.0.0.1', port }] }
    })
    mesh.network.announce(mesh.topic('gateway'), ...listed)
  }
  return { mesh, dht, peers, connected, failures, list }
}

async function gateway(mesh: PipedMesh, identity?: Identity) {
  const node = await mesh.node('gateway', {
    service: sampleService(),
    ...(identity && { identity }),
  })
  return { ...node, key: node.identity.keyPair.publicKey }
}

/** Moves time on in steps, so that what each of them starts can finish. */
async function pass(mesh: PipedMesh, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += INTERVAL_MS) {
    await mesh.time.advance(INTERVAL_MS)
    await settle(10)
  }
}

test('should connect to all workers of the role when they are found', async (t) => {
  const { mesh, peers, connected, list } = await scene(t)
  const gateways = await Promise.all(Array.from({ length: 20 }, () => gateway(mesh)))
  list(...gateways.map(({ key }) => key))
  await peers.ready()
  await until('all connections', () => peers.connections.length === 20)
  t.is(connected.length, 20)
})

test('should find a worker when it comes later', async (t) => {
  const { mesh, peers, list } = await scene(t)
  await peers.ready()
  await settle(10)
  t.is(peers.connections.length, 0)
  list((await gateway(mesh)).key)
  await pass(mesh, INTERVAL_MS)
  t.is(peers.connections.length, 1)
})

test('should dial again by itself when a connection is lost and the DHT is silent', async (t) => {
  const { mesh, peers, connected, list, dht } = await scene(t)
  list((await gateway(mesh)).key)
  let lost = 0
  peers.on('lost', () => {
    lost += 1
  })
  await peers.ready()
  await until('the connection', () => connected.length === 1)
  dht.lookup.throws(new Error('silent'))
  await pass(mesh, 2_000)
  t.is(connected.length, 1, 'it is left alone while it lasts')
  connected[0]?.destroy()
  await until('the new connection', () => connected.length === 2)
  t.is(lost, 1)
  t.ok(peers.connections[0]?.isOpen)
})

test('should not dial without a pause when a worker drops each connection at once', async (t) => {
  const { mesh, peers, connected, list } = await scene(t)
  const identity = mesh.authority.identity('gateway')
  const server = mesh.network.dht().createServer({})
  await server.listen(identity.keyPair)
  server.on('connection', (stream: HyperDHT.SecretStream) => {
    const drop = async () => {
      await proveByHand(stream, identity)
      await settle(3)
      stream.destroy()
    }
    drop().catch(() => {})
  })
  list(identity.keyPair.publicKey)
  await peers.ready()
  await until('the first connection', () => connected.length === 1)
  await settle(100)
  await pass(mesh, 5_000)
  const { length } = mesh.network.connections
  t.ok(length >= 3 && length <= 7, `${length} dials in five seconds`)
})

test('should cancel the running dial when the worker is found at a new address', async (t) => {
  const { mesh, peers, connected, list, dht } = await scene(t)
  const there = await gateway(mesh)
  const dead = pipeStreams()
  dead.initiatorEnd.stall()
  dht.connect.onFirstCall().returns(dead.initiator)
  list([there.key, 1000])
  await peers.ready()
  await pass(mesh, 1_000)
  t.is(connected.length, 0)
  list([there.key, 1001])
  await pass(mesh, INTERVAL_MS)
  t.is(connected.length, 1)
  t.ok(dead.initiator.destroying)
  const last = dht.connect.lastCall.args[1]
  t.alike(last?.relayAddresses, [{ host: '127.0.0.1', port: 1001 }])
})

test('should dial a worker only where its network reaches when it was seen elsewhere, too', async (t) => {
  const isNear = ({ port }: { port: number }) => port < 1_000
  const { mesh, peers, connected, list, dht } = await scene(t, {
    dialable: (addresses) => addresses.filter(isNear),
  })
  const [near, far] = [await gateway(mesh), await gateway(mesh)]
  list([near.key, 999], [far.key, 1_000])
  await peers.ready()
  await until('both connections', () => connected.length === 2)
  const ports = dht.connect
    .getCalls()
    .map(({ args: [key, options] }) => [
      Buffer.from(key).equals(Buffer.from(near.key)) ? 'near' : 'far',
      options?.relayAddresses?.map(({ port }) => port),
    ])
  t.alike(Object.fromEntries(ports), { near: [999], far: [] })
})

test('should dial less and less often when a worker does not answer', async (t) => {
  const { mesh, peers, list, dht, failures } = await scene(t)
  list(newKeyPair().publicKey)
  await peers.ready()
  await pass(mesh, 5_000)
  t.is(dht.connect.callCount, 3, 'at once, and then after one and two seconds')
  await pass(mesh, 60_000)
  const { callCount } = dht.connect
  t.ok(callCount >= 6 && callCount <= 9, `at last every 15 seconds: ${callCount} times`)
  t.is(failures[0], 'PEER_UNREACHABLE')
})

test('should ignore a worker whose certificate is of another role', async (t) => {
  const { mesh, peers, connected, list } = await scene(t)
  const processor = await gateway(mesh, mesh.authority.identity('processor'))
  list(processor.key)
  await peers.ready()
  await pass(mesh, 10_000)
  t.is(connected.length, 0)
  t.is(mesh.network.connections.length, 1, 'nor is it dialled again and again')
  await until('the end of that connection', () =>
    mesh.network.connections.every(({ initiator }) => initiator.destroyed),
  )
})

test('should neither dial nor list itself when it has the role that it looks for', async (t) => {
  const mesh = new PipedMesh(t)
  const [own, other] = [await gateway(mesh), await gateway(mesh)]
  const known = new KnownPeers({ clock: mesh.clock, store: null })
  const addresses = [{ host: '127.0.0.1', port: 1 }]
  const itself = { role: 'gateway', publicKey: own.key, addresses } as const
  known.learn([itself], 'proved')
  known.learn([itself], 'roster')
  const listed = [own, other].map(({ key }) => ({ publicKey: key, relayAddresses: addresses }))
  mesh.network.announce(mesh.topic('gateway'), ...listed)
  const peers = mesh.peers('gateway', own, { intervalMs: INTERVAL_MS, known })
  await peers.ready()
  await until('the other', () => peers.connections.length === 1)
  known.learn([itself], 'proved')
  await pass(mesh, 2_000)
  t.alike(peers.connections[0]?.identity.publicKey, other.key)
  t.is(mesh.network.connections.length, 1, 'it has dialled the other one only')
  t.alike(peers.unreached, [])
})

test('should report which peers are announced and why they are not connected', async (t) => {
  const { mesh, peers, list } = await scene(t)
  const unreached = () =>
    peers.unreached.map(({ publicKey, code }) => [Buffer.from(publicKey).toString('hex'), code])
  const hex = (key: Uint8Array) => Buffer.from(key).toString('hex')
  const there = await gateway(mesh)
  const processor = await gateway(mesh, mesh.authority.identity('processor'))
  const nobody = newKeyPair().publicKey
  t.alike(unreached(), [])
  list(there.key, processor.key, nobody)
  await peers.ready()
  await until('the connection', () => peers.connections.length === 1)
  await pass(mesh, 1_000)
  t.alike(unreached(), [
    [hex(processor.key), 'FORBIDDEN'],
    [hex(nobody), 'PEER_UNREACHABLE'],
  ])
  peers.connections[0]?.destroy()
  await until('its end', () => peers.connections.length === 0)
  t.alike(unreached()[0], [hex(there.key), null], 'lost, and no dial has failed since')
})

test('should leave an impostor alone for half a minute when it proved nothing', async (t) => {
  const { mesh, peers, connected, failures, list } = await scene(t)
  const stranger = new MeshAuthority(mesh.clock)
  const keyPair = newKeyPair()
  const certificate = stranger.certify(keyPair, ['gateway'])
  const impostor = await gateway(mesh, {
    ...mesh.authority.identity('gateway'),
    keyPair,
    certificate: () => certificate,
  })
  list(impostor.key)
  await peers.ready()
  await until('the refusal', () => failures.length === 1)
  t.is(failures[0], 'CERTIFICATE_INVALID')
  await pass(mesh, 29_000)
  t.is(mesh.network.connections.length, 1)
  await pass(mesh, 2_000)
  t.is(mesh.network.connections.length, 2)
  t.is(connected.length, 0)
})

test('should keep its bounds and still find the genuine one when the topic is flooded', async (t) => {
  const { mesh, peers, connected, list, dht } = await scene(t)
  const genuine = await gateway(mesh)
  let open = 0
  let most = 0
  let isGenuineDialled = false
  const network = mesh.network.dht()
  dht.connect.callsFake((publicKey, options) => {
    if (Buffer.from(publicKey).equals(Buffer.from(genuine.key))) {
      isGenuineDialled = true
      return network.connect(publicKey, options)
    }
    open += 1
    most = Math.max(most, open)
    const dead = pipeStreams()
    dead.initiatorEnd.stall()
    dead.initiator.once('close', () => {
      open -= 1
    })
    mesh.time.schedule(4_000, () => dead.initiator.destroy(new Error('no answer')))
    return dead.initiator
  })
  const flood = Array.from({ length: 40 }, () => newKeyPair().publicKey)
  list(...flood)
  await peers.ready()
  await pass(mesh, 1_000)
  list(...flood, genuine.key)
  for (let waitedMs = 0; waitedMs < 12_000 && !isGenuineDialled; waitedMs += 100) {
    await pass(mesh, 100)
  }
  t.ok(isGenuineDialled, 'its turn came')
  // The handshake takes real time. Virtual time does not go on, so that the dial is not given up meanwhile.
  await until('the connection', () => connected.length === 1)
  t.is(most, 8, 'half of the dials')
})

test('should remember no more than its bound when more keys are listed', async (t) => {
  const { mesh, peers, connected, list, dht } = await scene(t)
  const genuine = await gateway(mesh)
  list(genuine.key)
  await peers.ready()
  await until('the connection', () => connected.length === 1)
  list(...Array.from({ length: 600 }, () => newKeyPair().publicKey), genuine.key)
  await pass(mesh, INTERVAL_MS)
  list(genuine.key)
  dht.connect.resetHistory()
  await pass(mesh, 1_000)
  const dialled = dht.connect.getCalls().map(({ args }) => Buffer.from(args[0]).toString('hex'))
  t.ok(new Set(dialled).size <= 256, `${new Set(dialled).size} keys are dialled`)
  t.is(peers.connections.length, 1, 'the proved one was not forgotten')
  t.is(connected.length, 1)
})

test('should live on when the DHT fails, whichever way', async (t) => {
  const { mesh, peers, list, dht, connected } = await scene(t)
  dht.lookup.onCall(0).throws(new Error('destroyed'))
  dht.lookup.onCall(1).returns({
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('no bootstrap node')) }),
    finished: async () => undefined,
    destroy: () => undefined,
  })
  await peers.ready()
  await pass(mesh, INTERVAL_MS)
  list((await gateway(mesh)).key)
  await pass(mesh, 2 * INTERVAL_MS)
  t.is(connected.length, 1)
})

test('should end what it began and leave no timer when it is closed', async (t) => {
  const { mesh, peers, list, dht, connected } = await scene(t)
  const dead = pipeStreams()
  dead.initiatorEnd.stall()
  const there = await gateway(mesh)
  const nowhere = newKeyPair().publicKey
  dht.connect.withArgs(nowhere).returns(dead.initiator)
  list(nowhere, there.key)
  await peers.ready()
  await until('the connection', () => connected.length === 1)
  await peers.close()
  await connected[0]?.closed
  await until('the end of the dial', () => dead.initiator.destroyed)
  await settle(20)
  t.is(mesh.time.pending, 0)
  t.is(connected.length, 1)
})
