import test, { type Test } from 'brittle'
import encodings from 'compact-encoding'
import type HyperDHT from 'hyperdht'
import { Service } from '../../../../../facilities/network/calls/service.js'
import { PROTOCOL_VERSIONS } from '../../../../../helpers/protocol/hello-message.js'
import { PROTOCOL_LIMITS } from '../../../../../helpers/protocol/limits.js'
import { HelloSpeaker } from '../../../../helpers/network/hello-speaker.js'
import {
  idOf,
  openingOf,
  proveByHand,
  streamByHand,
} from '../../../../helpers/network/hostile-peer.js'
import type { FixtureNode } from '../../../../helpers/network/mesh-fixture.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { count, echo, sampleService } from '../../../../helpers/network/sample-service.js'
import { settle, until } from '../../../../helpers/until.js'

const MEBIBYTE = 1024 * 1024

/** The header of a frame, as it stands in front of it. */
function headerOf(frameBytes: number): Buffer {
  const header = Buffer.alloc(3)
  header.writeUIntLE(frameBytes, 0, 3)
  return header
}

/** A member of the mesh, connected to the gateway and driven by hand. */
async function connectByHand(
  t: Test,
  mesh: PipedMesh,
  gateway: FixtureNode,
  identity = mesh.authority.identity('client'),
) {
  const stream = mesh.network.dht().connect(gateway.identity.keyPair.publicKey, {
    keyPair: identity.keyPair,
  })
  const piped = mesh.network.connections.at(-1)
  if (piped === undefined) throw new Error('Nothing was dialled')
  t.teardown(() => stream.destroy(), { order: -1 })
  const { mux } = await proveByHand(stream, identity)
  // Nothing of the hello is still to be written.
  await settle(10)
  return { piped, mux, send: (bytes: Uint8Array) => void piped.initiatorEnd.write(bytes) }
}

async function stillServes(t: Test, mesh: PipedMesh, gateway: FixtureNode): Promise<void> {
  const connection = await mesh.dial(await mesh.node('client'), gateway)
  t.alike(await connection.call(echo, { text: 'hi' }, mesh.call()), { text: 'hi' })
}

test('should cut the connection as soon as a frame is announced that is longer than any message', async (t) => {
  const mesh = new PipedMesh(t)
  const gateway = await mesh.node('gateway', { service: sampleService() })
  const { piped, send } = await connectByHand(t, mesh, gateway)
  send(headerOf(PROTOCOL_LIMITS.frameBytes))
  send(Buffer.alloc(100_000))
  await settle(10)
  t.absent(piped.responder.destroying, 'the longest is waited for')
  const other = await connectByHand(t, mesh, gateway)
  other.send(headerOf(PROTOCOL_LIMITS.frameBytes + 1))
  await until('the end of the connection', () => other.piped.responder.destroyed)
  await stillServes(t, mesh, gateway)
})

test('should cut the connection when a worker that was dialled announces such a frame', async (t) => {
  const mesh = new PipedMesh(t)
  const client = await mesh.node('client')
  const identity = mesh.authority.identity('gateway')
  const server = mesh.network.dht().createServer({})
  await server.listen(identity.keyPair)
  server.on('connection', (stream: HyperDHT.SecretStream) => {
    proveByHand(stream, identity).catch(() => {})
  })
  const { signal } = new AbortController()
  const connection = await client.node.dial(identity.keyPair.publicKey, [], signal)
  mesh.network.connections.at(-1)?.responderEnd.write(headerOf(16 * MEBIBYTE - 1))
  await connection.closed
  t.absent(connection.isOpen)
})

test('should cut who has proved nothing when a frame is announced that is longer than a hello', async (t) => {
  const mesh = new PipedMesh(t)
  const gateway = await mesh.node('gateway', { service: sampleService() })
  const stream = mesh.network.dht().connect(gateway.identity.keyPair.publicKey, {})
  const piped = mesh.network.connections.at(-1)
  stream.on('error', () => {})
  await stream.opened
  await settle(5)
  piped?.initiatorEnd.write(headerOf(PROTOCOL_LIMITS.unverifiedBytes + 1))
  t.ok(await until('the end of the connection', () => piped?.responder.destroyed))
})

test('should take a long message that arrives together with the end of the hello', async (t) => {
  const mesh = new PipedMesh(t)
  const gateway = await mesh.node('gateway', { service: sampleService() })
  const identity = mesh.authority.identity('client')
  const { publicKey } = gateway.identity.keyPair
  const stream = mesh.network.dht().connect(publicKey, { keyPair: identity.keyPair })
  t.teardown(() => stream.destroy(), { order: -1 })
  const piped = mesh.network.connections.at(-1)
  if (piped === undefined) throw new Error('Nothing was dialled')
  await stream.opened
  const { membershipKey } = identity
  const speaker = new HelloSpeaker(stream, { membershipKey })
  speaker.say('hello', speaker.honestHello(identity.certificate(), identity.keyPair.secretKey))
  await until('a welcome', () => speaker.heard.some(({ kind }) => kind === 'welcome'))
  piped.initiatorEnd.hold()
  speaker.say('welcome', { version: PROTOCOL_VERSIONS.highest })
  await settle(5)
  piped.initiatorEnd.write(headerOf(MEBIBYTE))
  await settle(5)
  piped.initiatorEnd.release()
  await settle(10)
  t.absent(piped.responder.destroying)
})

test('should bound what all have half sent, and cut those who hold most', async (t) => {
  const mesh = new PipedMesh(t)
  const gateway = await mesh.node('gateway', {
    service: sampleService(),
    limits: { maxUnreadBytes: 16 * MEBIBYTE, workerShare: 0, maxConnections: 100 },
  })
  const small = await connectByHand(t, mesh, gateway)
  small.send(headerOf(1_000))
  const large: Awaited<ReturnType<typeof connectByHand>>[] = []
  for (let key = 0; key < 12; key += 1) {
    const identity = mesh.authority.identity('client')
    for (let index = 0; index < 2; index += 1) {
      const hand = await connectByHand(t, mesh, gateway, identity)
      hand.send(headerOf(1.5 * MEBIBYTE))
      hand.send(Buffer.alloc(10_000))
      large.push(hand)
    }
  }
  await settle(20)
  const open = large.filter(({ piped }) => !piped.responder.destroying)
  t.is(open.length, 10)
  t.absent(small.piped.responder.destroying)
  await stillServes(t, mesh, gateway)
})

test('should bound what one key has half sent on all its connections', async (t) => {
  const mesh = new PipedMesh(t)
  const gateway = await mesh.node('gateway', {
    service: sampleService(),
    limits: { maxConnectionsPerKey: 16, maxConnections: 100 },
  })
  const identity = mesh.authority.identity('client')
  const hands: Awaited<ReturnType<typeof connectByHand>>[] = []
  for (let index = 0; index < 16; index += 1) {
    const hand = await connectByHand(t, mesh, gateway, identity)
    hand.send(headerOf(PROTOCOL_LIMITS.frameBytes))
    hands.push(hand)
  }
  await settle(20)
  t.is(hands.filter(({ piped }) => !piped.responder.destroying).length, 1)
  await stillServes(t, mesh, gateway)
})

test('should make no frame that is longer than a peer takes, however much is written at once', async (t) => {
  const mesh = new PipedMesh(t)
  const filling = 'x'.repeat(PROTOCOL_LIMITS.streamChunkBytes - 100)
  const service = new Service().stream(count, async function* ({ to }) {
    for (let n = 0; n < to; n += 1) yield { n, filling }
    return { total: to }
  })
  const gateway = await mesh.node('gateway', { service, limits: { maxStreamsPerKey: 16 } })
  const { piped, mux } = await connectByHand(t, mesh, gateway)
  const frames: number[] = []
  piped.initiator.on('data', (frame: Uint8Array) => frames.push(frame.byteLength))
  // The answers to what comes in one frame are gathered as well.
  mux.cork()
  const hands = Array.from({ length: 16 }, (_, id) =>
    streamByHand(mux, idOf(id), openingOf(count.name, { to: 20 }, { credit: 64 })),
  )
  mux.uncork()
  await until('the answers', () => hands.every(({ state }) => state.closed))
  t.ok(hands.every(({ heard }) => heard.length === 21))
  const most = Math.max(...frames)
  t.ok(most > PROTOCOL_LIMITS.streamChunkBytes, 'they are gathered')
  t.ok(most <= MEBIBYTE, `${most} bytes`)
})

test('should count all of a frame for a request when the rest of it is of no use', async (t) => {
  const mesh = new PipedMesh(t)
  const gateway = await mesh.node('gateway', {
    service: sampleService(),
    limits: { maxRequestBytesPerKey: 4 * MEBIBYTE },
  })
  const { mux } = await connectByHand(t, mesh, gateway)
  const hands = [1, 2, 3].map((id) => {
    mux.cork()
    const hand = streamByHand(mux, idOf(id), openingOf(count.name, { to: 1_000 }))
    // A message for a channel that does not exist.
    Object(mux)._pushBatch(99, Buffer.alloc(1.5 * MEBIBYTE))
    mux.uncork()
    return hand
  })
  await until('the answers', () => hands.every(({ heard }) => heard.length > 0))
  t.alike(
    hands.map(({ heard }) => heard[0]?.kind),
    ['chunk', 'chunk', 'error'],
  )
  t.is(Object(hands[2]?.heard[0]?.value).code, 'OVERLOADED')
})

test('should take the largest message that a member sends', async (t) => {
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(sampleService())
  const overhead = Buffer.byteLength(openingOf(count.name, { to: 1, padding: '' })) + 64
  const padding = 'x'.repeat(PROTOCOL_LIMITS.streamOpeningBytes - overhead)
  const chunks = connection.open(count, { to: 1, padding }, mesh.call())
  t.alike((await chunks.next()).value, { n: 0 })
  t.is((await chunks.next()).done, true)
})

test('should cut the connection when it opens ever more channels and closes none', async (t) => {
  const mesh = new PipedMesh(t)
  const gateway = await mesh.node('gateway', { service: sampleService() })
  const { piped, mux } = await connectByHand(t, mesh, gateway)
  // As the multiplexer writes it: opens channel `id` of a protocol that is not spoken, many in a frame.
  const uint = (n: number) => {
    const state = { buffer: Buffer.alloc(9), start: 0, end: 9 }
    encodings.uint.encode(state, n)
    return state.buffer.subarray(0, state.start)
  }
  // The rejections would puzzle this end.
  Object(piped.initiator).pause()
  let id = Object(piped.responder.userData)._remote.length + 1
  while (id < 80_000 && !piped.responder.destroying) {
    const messages: Buffer[] = []
    for (let n = 0; n < 5_000; n += 1, id += 1) {
      const message = Buffer.concat([Buffer.from([1]), uint(id), Buffer.from([1, 0x78, 0])])
      messages.push(uint(message.byteLength), message)
    }
    Object(mux.stream).write(Buffer.concat([Buffer.from([0, 0, 0]), ...messages]))
    await settle(3)
  }
  await until('the end of the connection', () => piped.responder.destroyed)
  t.ok(id > 60_000, `after ${id} channels`)
  await stillServes(t, mesh, gateway)
})
