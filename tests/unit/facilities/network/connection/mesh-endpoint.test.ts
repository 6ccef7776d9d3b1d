import test, { type Test } from 'brittle'
import encodings from 'compact-encoding'
import type HyperDHT from 'hyperdht'
import Protomux from 'protomux'
import { PROTOCOL_VERSIONS } from '../../../../../helpers/protocol/hello-message.js'
import { HelloSpeaker } from '../../../../helpers/network/hello-speaker.js'
import {
  type HandStream,
  idOf,
  nestedBatches,
  openingOf,
  proveByHand,
  rpcRequest,
  streamByHand,
} from '../../../../helpers/network/hostile-peer.js'
import { MeshAuthority, newKeyPair } from '../../../../helpers/network/mesh-authority.js'
import {
  type FixtureNode,
  type NodeOptions,
  TEST_LIMITS,
} from '../../../../helpers/network/mesh-fixture.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import {
  count,
  echo,
  sampleLog,
  sampleService,
} from '../../../../helpers/network/sample-service.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

/** A gateway and what it says of whoever it refuses. */
async function scene(t: Test, options: NodeOptions = {}) {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const refused: unknown[] = []
  const gateway = await mesh.node('gateway', {
    service: sampleService(log),
    events: { onRefused: (error) => refused.push(Object(error).code) },
    ...options,
  })
  return { mesh, log, gateway, refused }
}

/** Connects to the gateway, as anybody can. The bytes that come back are counted. */
function connect(t: Test, mesh: PipedMesh, gateway: FixtureNode) {
  const keyPair = newKeyPair()
  const stream = mesh.network.dht().connect(gateway.identity.keyPair.publicKey, { keyPair })
  const piped = mesh.network.connections.at(-1)
  if (piped === undefined) throw new Error('Nothing was dialled')
  stream.on('error', () => {})
  t.teardown(() => stream.destroy(), { order: -1 })
  return { stream, piped, keyPair }
}

function write(stream: HyperDHT.SecretStream, bytes: Uint8Array): void {
  Object(stream).write(bytes)
}

test('should connect both ends when both belong to the mesh', async (t) => {
  const { mesh, gateway, refused } = await scene(t)
  const client = await mesh.node('client')
  const connection = await mesh.dial(client, gateway)
  t.is(connection.identity.certificate.name, 'gateway@test')
  t.ok(connection.isOpen)
  t.alike(refused, [])
})

test('should fail with PEER_UNREACHABLE when no peer answers', async (t) => {
  const mesh = new PipedMesh(t)
  const client = await mesh.node('client')
  const { signal } = new AbortController()
  const dial = client.node.dial(newKeyPair().publicKey, [], signal)
  t.is(Object(await rejectionOf(dial)).code, 'PEER_UNREACHABLE')
  t.is(mesh.time.pending, 0)
})

test('should give a dial up when its signal is aborted, before it or during it', async (t) => {
  const { mesh, gateway } = await scene(t)
  const client = await mesh.node('client')
  for (const when of ['before', 'during'] as const) {
    const controller = new AbortController()
    if (when === 'before') controller.abort()
    const dial = client.node.dial(gateway.identity.keyPair.publicKey, [], controller.signal)
    if (when === 'during') controller.abort()
    t.is(Object(await rejectionOf(dial)).code, 'PEER_UNREACHABLE', when)
  }
  await settle()
  t.is(mesh.time.pending, 0)
})

test('should refuse calls and streams from peers that are not verified', async (t) => {
  const { mesh, gateway, log } = await scene(t)
  const { stream, keyPair } = connect(t, mesh, gateway)
  await stream.opened
  const mux = new Protomux(stream)
  const { membershipKey } = mesh.authority
  const speaker = new HelloSpeaker(stream, { membershipKey, mux })
  const rpc = mux.createChannel({
    protocol: 'protomux-rpc',
    id: gateway.identity.keyPair.publicKey,
  })
  const answers: Uint8Array[] = []
  const request = rpc?.addMessage({
    encoding: encodings.raw,
    onmessage: (bytes) => void answers.push(bytes),
  })
  rpc?.open()
  const body = JSON.parse(openingOf('x', { text: 'let me in' }).toString())
  const call = Buffer.from(JSON.stringify({ header: body.header, body: body.body }))
  request?.send(rpcRequest(1, echo.name, call))
  const hand = streamByHand(mux, idOf(1), openingOf(count.name, { to: 3 }))
  await settle(20)
  const stranger = new MeshAuthority(mesh.clock).certify(keyPair, ['client'])
  speaker.say('hello', speaker.honestHello(stranger, keyPair.secretKey))
  await until('the refusal', () => speaker.refusedWith)
  hand.messages.credit.send(1)
  await settle(20)
  t.alike([log.texts, log.started, answers.length, hand.heard.length], [[], 0, 0, 0])
})

test('should answer what was opened early when the hello is then accepted', async (t) => {
  const { mesh, gateway, log } = await scene(t)
  const identity = mesh.authority.identity('client')
  const stream = mesh.network.dht().connect(gateway.identity.keyPair.publicKey, {
    keyPair: identity.keyPair,
  })
  t.teardown(() => stream.destroy(), { order: -1 })
  const hands: HandStream[] = []
  await proveByHand(stream, identity, async (mux) => {
    hands.push(streamByHand(mux, idOf(1), openingOf(count.name, { to: 1 })))
    await settle(10)
    t.is(log.started, 0, 'not before')
  })
  await until('the answer', () => hands[0]?.state.closed)
  t.is(hands[0]?.heard.at(-1)?.kind, 'end')
})

test('should not go on with an answer when it was opened and cancelled together with the welcome', async (t) => {
  const { mesh, gateway, log } = await scene(t)
  const { keyPair, membershipKey, ...identity } = mesh.authority.identity('client')
  const { publicKey } = gateway.identity.keyPair
  const stream = mesh.network.dht().connect(publicKey, { keyPair })
  t.teardown(() => stream.destroy(), { order: -1 })
  await stream.opened
  const speaker = new HelloSpeaker(stream, { membershipKey })
  speaker.say('hello', speaker.honestHello(identity.certificate(), keyPair.secretKey))
  await until('a welcome', () => speaker.heard.some(({ kind }) => kind === 'welcome'))
  const rpc = speaker.mux.createChannel({ protocol: 'protomux-rpc', id: publicKey })
  // All in one packet, as from a caller that cancels at once.
  speaker.mux.cork()
  speaker.say('welcome', { version: PROTOCOL_VERSIONS.highest })
  rpc?.open()
  const { channel } = streamByHand(speaker.mux, idOf(1), openingOf(count.name, { to: 100_000 }))
  channel.close()
  speaker.mux.uncork()
  await until('the proof', () => gateway.node.connectionCounts.proved === 1)
  await settle(20)
  t.is(log.running, 0)
})

test('should cut the connection when more is sent than a hello can take', async (t) => {
  const { mesh, gateway, refused } = await scene(t)
  const { stream, piped } = connect(t, mesh, gateway)
  await stream.opened
  write(stream, Buffer.alloc(17 * 1024, 1))
  await until('the end of the connection', () => piped.responder.destroyed)
  await until('the refusal', () => refused.length === 1)
  t.is(mesh.time.pending, 0)
})

test('should not be crashed when batches are nested before the hello', async (t) => {
  const { mesh, gateway } = await scene(t)
  const { stream, piped } = connect(t, mesh, gateway)
  await stream.opened
  const frame = nestedBatches(3_000)
  t.ok(frame.byteLength < 16 * 1024, 'small enough to be read')
  write(stream, frame)
  await until('the end of the connection', () => piped.responder.destroyed)
})

test('should go on counting bytes when the hello was refused and the other end stays', async (t) => {
  const { mesh, gateway, refused } = await scene(t)
  const { stream, piped } = connect(t, mesh, gateway)
  await stream.opened
  const { membershipKey } = mesh.authority
  const speaker = new HelloSpeaker(stream, { membershipKey })
  Object(stream).end = () => {}
  speaker.sayBytes('hello', Buffer.from('nonsense'))
  await until('the refusal', () => refused.length === 1)
  write(stream, Buffer.alloc(17 * 1024, 1))
  await until('the end of the connection', () => piped.responder.destroyed, 1_000)
  t.is(mesh.time.pending, 0)
})

test('should leave no timer when a peer disconnects without a hello', async (t) => {
  const { mesh, gateway, refused } = await scene(t)
  const { stream } = connect(t, mesh, gateway)
  await stream.opened
  await until('the wait for a hello', () => mesh.time.pending === 1)
  stream.destroy()
  await until('the refusal', () => refused.length === 1)
  await settle()
  t.is(mesh.time.pending, 0)
})

test('should close the connection after a while when a refused peer keeps it open', async (t) => {
  const { mesh, gateway, refused } = await scene(t)
  const { stream, piped } = connect(t, mesh, gateway)
  await stream.opened
  piped.initiatorEnd.stall()
  await until('the wait for a hello', () => mesh.time.pending === 1)
  await mesh.time.advance(TEST_LIMITS.helloTimeoutMs)
  t.alike(refused, ['HELLO_FAILED'])
  await mesh.time.advance(1_000)
  await until('the end of the connection', () => piped.responder.destroyed)
  t.is(mesh.time.pending, 0)
})

test('should listen to no more than allowed when many connect at the same moment', async (t) => {
  const { mesh, gateway } = await scene(t, { limits: { maxUnverifiedConnections: 4 } })
  const all = Array.from({ length: 12 }, () => connect(t, mesh, gateway))
  await Promise.all(all.map(({ stream }) => stream.opened))
  await settle(20)
  t.is(all.filter(({ piped }) => !piped.responder.destroyed).length, 4)
  await mesh.time.advance(TEST_LIMITS.helloTimeoutMs + 1_000)
  await until('the end of them all', () => all.every(({ piped }) => piped.responder.destroyed))
  const client = await mesh.node('client')
  t.ok((await mesh.dial(client, gateway)).isOpen, 'there is room again')
})

test('should admit a member when silent connections have taken all places', async (t) => {
  const refused: unknown[] = []
  const { mesh, gateway } = await scene(t, {
    limits: { maxUnverifiedConnections: 4 },
    events: { onRefused: (error) => refused.push(error) },
  })
  const silent = Array.from({ length: 12 }, () => connect(t, mesh, gateway))
  await Promise.all(silent.map(({ stream }) => stream.opened))
  await settle(20)
  await mesh.time.advance(300)
  const client = await mesh.node('client')
  t.ok((await mesh.dial(client, gateway)).isOpen)
  const open = silent.map(({ piped }) => !piped.responder.destroyed)
  t.alike(open, [false, ...Array(3).fill(true), ...Array(8).fill(false)], 'the oldest made room')
  t.alike(gateway.node.connectionCounts, { proved: 1, unverified: 3 })
  t.alike(
    refused.map((error) => Object(error).code),
    Array(9).fill('OVERLOADED'),
    'all that had no room are counted',
  )
})

test('should keep no more proved connections than allowed when members crowd in', async (t) => {
  const limits = { maxConnections: 2, workerShare: 0 }
  const { mesh, gateway, refused } = await scene(t, { limits })
  const clients = await Promise.all(Array.from({ length: 5 }, () => mesh.node('client')))
  const dials = await Promise.allSettled(clients.map((client) => mesh.dial(client, gateway)))
  await settle(20)
  const open = dials.filter((dial) => dial.status === 'fulfilled' && dial.value.isOpen)
  t.is(open.length, 2)
  t.alike(refused, Array(3).fill('OVERLOADED'))
})

test('should end everything and leave no timer when it is closed', async (t) => {
  const { mesh, gateway, log } = await scene(t)
  const client = await mesh.node('client')
  const connection = await mesh.dial(client, gateway)
  const { stream } = connect(t, mesh, gateway)
  await stream.opened
  const chunks = connection.open(count, { to: 1_000 }, mesh.call())
  await chunks.next()
  // The stranger does not end its connection, and is not waited for for long.
  await mesh.time.advanceUntil(gateway.node.close())
  await connection.closed
  await until('the handler to end', () => log.running === 0)
  const readOn = async () => {
    for await (const _ of chunks);
  }
  t.is(Object(await rejectionOf(readOn())).code, 'PEER_LOST')
  t.is(mesh.time.pending, 0)
})

test('should keep to the heartbeat when nothing else is sent', async (t) => {
  const { mesh, gateway } = await scene(t)
  const client = await mesh.node('client')
  const connection = await mesh.dial(client, gateway)
  for (let i = 0; i < 30; i += 1) await mesh.time.advance(TEST_LIMITS.heartbeatIntervalMs)
  t.ok(connection.isOpen)
})

test('should drop the connection when the cable is cut', async (t) => {
  const { mesh, gateway } = await scene(t)
  const client = await mesh.node('client')
  const connection = await mesh.dial(client, gateway)
  const call = rejectionOf(connection.call(echo, { text: 'hi' }, mesh.call()))
  const piped = mesh.network.connections.at(-1)
  piped?.initiatorEnd.stall()
  piped?.responderEnd.stall()
  const lost = rejectionOf(connection.call(echo, { text: 'lost' }, mesh.call()))
  const { heartbeatIntervalMs, heartbeatMissedLimit } = TEST_LIMITS
  await mesh.time.advance(heartbeatIntervalMs * (heartbeatMissedLimit + 1))
  await connection.closed
  t.is(Object(await lost).code, 'PEER_LOST')
  await Promise.race([call, settle(50)])
  t.absent(connection.isOpen)
})

test('should not trust a peer that answers in place of a gateway', async (t) => {
  const mesh = new PipedMesh(t)
  const client = await mesh.node('client')
  const genuine = mesh.authority.identity('gateway')
  const impostor = newKeyPair()
  const stranger = new MeshAuthority(mesh.clock).certify(impostor, ['gateway'])
  for (const certificate of [stranger, genuine.certificate()]) {
    const server = mesh.network.dht().createServer({})
    await server.listen(impostor)
    const heard: Buffer[] = []
    server.on('connection', (stream: HyperDHT.SecretStream) => {
      stream.on('data', (bytes: Uint8Array) => heard.push(Buffer.from(bytes)))
      stream.on('error', () => {})
      const { membershipKey } = mesh.authority
      const speaker = new HelloSpeaker(stream, { membershipKey })
      speaker.say('hello', speaker.honestHello(certificate, impostor.secretKey))
      speaker.say('welcome', { version: PROTOCOL_VERSIONS.highest })
    })
    const { signal } = new AbortController()
    const error = await rejectionOf(client.node.dial(impostor.publicKey, [], signal))
    t.is(Object(error).code, 'CERTIFICATE_INVALID')
    const text = Buffer.concat(heard).toString('latin1')
    t.absent(text.includes('protomux-rpc') || text.includes('starling/stream'))
    await server.close()
  }
  await mesh.time.advance(2_000)
  t.is(mesh.time.pending, 0)
})

test('should not answer when a proved gateway calls or opens streams at its client', async (t) => {
  const mesh = new PipedMesh(t)
  const client = await mesh.node('client')
  const identity = mesh.authority.identity('gateway')
  const server = mesh.network.dht().createServer({})
  await server.listen(identity.keyPair)
  const proved = new Promise<Awaited<ReturnType<typeof proveByHand>>>((resolve, reject) => {
    server.on('connection', (stream: HyperDHT.SecretStream) => {
      proveByHand(stream, identity).then(resolve, reject)
    })
  })
  const { signal } = new AbortController()
  const connection = await client.node.dial(identity.keyPair.publicKey, [], signal)
  const { mux } = await proved
  const hand = streamByHand(mux, idOf(1), openingOf(count.name, { to: 1 }))
  await until('the rejection', () => hand.state.closed)
  t.alike(hand.heard, [])
  t.ok(connection.isOpen)
})
