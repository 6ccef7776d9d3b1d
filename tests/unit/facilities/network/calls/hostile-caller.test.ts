import test, { type Test } from 'brittle'
import encodings from 'compact-encoding'
import type HyperDHT from 'hyperdht'
import { Service } from '../../../../../facilities/network/calls/service.js'
import type { NetworkLimits } from '../../../../../facilities/network/limits/network-limit-settings.js'
import {
  type HandStream,
  idOf,
  nestedBatches,
  openingOf,
  proveByHand,
  rpcRequest,
  streamByHand,
} from '../../../../helpers/network/hostile-peer.js'
import { TEST_LIMITS } from '../../../../helpers/network/mesh-fixture.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import {
  count,
  echo,
  sampleLog,
  sampleService,
} from '../../../../helpers/network/sample-service.js'
import { settle, until } from '../../../../helpers/until.js'

/** A gateway, and a client with a genuine certificate that then does as it likes. */
async function scene(
  t: Test,
  options: { service?: Service; limits?: Partial<NetworkLimits> } = {},
) {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const gateway = await mesh.node('gateway', {
    service: options.service ?? sampleService(log),
    ...(options.limits && { limits: options.limits }),
  })
  const identity = mesh.authority.identity('client')
  const stream = mesh.network.dht().connect(gateway.identity.keyPair.publicKey, {
    keyPair: identity.keyPair,
  })
  t.teardown(() => stream.destroy(), { order: -1 })
  const { mux, request, responses } = await proveByHand(stream, identity)
  const piped = mesh.network.connections.at(-1)
  if (piped === undefined) throw new Error('Nothing was dialled')
  await settle(10)
  const timers = mesh.time.pending
  return { mesh, log, gateway, stream, mux, request, responses, piped, timers }
}

/** Somebody else is still answered as if nothing were. */
async function stillServes(t: Test, mesh: PipedMesh, gateway: { identity: unknown }) {
  const client = await mesh.node('client')
  const connection = await mesh.dial(client, gateway as Parameters<PipedMesh['dial']>[1])
  t.alike(await connection.call(echo, { text: 'hi' }, mesh.call()), { text: 'hi' })
  connection.destroy()
}

/** Sends one frame past the multiplexer. */
function sendFrame(stream: HyperDHT.SecretStream, frame: Uint8Array): void {
  Object(stream).write(frame)
}

test('should cut the connection and live on when a frame is malformed', async (t) => {
  const frames = {
    'endless number': Buffer.from([0xff, 1]),
    'close of a channel number that is no number': Buffer.from([
      0,
      3,
      0xff,
      ...Buffer.alloc(8, 255),
    ]),
    'opening of channel 0': Buffer.from([0, 1, 0, 1, 65, 0]),
    'opening out of turn': Buffer.from([0, 1, 200, 1, 65, 0]),
    'protocol name longer than the frame': Buffer.from([0, 1, 1, 0xfe, 255, 255, 255, 255]),
    'rejection of nothing': Buffer.from([0, 2, 77]),
    'batch in a batch': nestedBatches(2),
  }
  for (const [name, frame] of Object.entries(frames)) {
    const { stream, piped, mesh, gateway } = await scene(t)
    sendFrame(stream, frame)
    await until(`the end of the connection after a ${name}`, () => piped.responder.destroyed)
    await stillServes(t, mesh, gateway)
  }
})

test('should not be crashed when batches are nested as deep as a frame allows', async (t) => {
  const { stream, piped, mesh, gateway } = await scene(t)
  sendFrame(stream, nestedBatches(4_000))
  await until('the end of the connection', () => piped.responder.destroyed)
  await stillServes(t, mesh, gateway)
})

test('should ignore the message when its channel or its type does not exist', async (t) => {
  const { stream, mux, piped, log } = await scene(t)
  sendFrame(stream, Buffer.from([99, 0, 1]))
  sendFrame(stream, Buffer.alloc(0))
  const hand = streamByHand(mux, idOf(1), openingOf(count.name, { to: 1 }))
  await until('an answer', () => hand.state.closed)
  t.alike(hand.heard.at(-1), { kind: 'end', value: { total: 1 } })
  t.is(log.started, 1)
  t.absent(piped.responder.destroying)
})

test('should cancel when the opening and its close come in one frame', async (t) => {
  const { mux, log, mesh, timers } = await scene(t)
  mux.cork()
  streamByHand(mux, idOf(1), openingOf(count.name, { to: 1_000 })).channel.close()
  mux.uncork()
  await settle(20)
  t.is(log.running, 0)
  t.is(mesh.time.pending, timers)
})

test('should refuse the second stream when two have one id', async (t) => {
  const { mux, log, piped } = await scene(t)
  const opening = openingOf(count.name, { to: 1_000 })
  const hands = [true, false].map((unique) => streamByHand(mux, idOf(1), opening, { unique }))
  await until('the refusal', () => hands.some(({ state }) => state.closed))
  await settle(10)
  t.is(log.started, 1)
  t.is(log.running, 1)
  t.absent(piped.responder.destroying)
})

test('should close the stream and stop its handler when credit is nonsense', async (t) => {
  for (const grant of [0, 4_096, 2 ** 40]) {
    const { mux, log, mesh, timers } = await scene(t)
    const hand = streamByHand(mux, idOf(1), openingOf(count.name, { to: 1_000 }))
    await until('the window', () => hand.heard.length === 4)
    hand.messages.credit.send(1)
    hand.messages.credit.send(grant)
    await until('the end of the stream', () => hand.state.closed)
    await until('the end of the handler', () => log.running === 0)
    t.is(mesh.time.pending, timers)
  }
})

test('should never hold more than the most credit when grants are small and many', async (t) => {
  const { mux, log } = await scene(t)
  const hand = streamByHand(mux, idOf(1), openingOf(count.name, { to: 2 }, { credit: 4_096 }))
  await until('the end', () => hand.state.closed)
  t.alike(
    hand.heard.map(({ kind }) => kind),
    ['chunk', 'chunk', 'end'],
  )
  t.is(log.running, 0)
})

test('should end the stream typed when its caller sends chunks, an end, an error or a head', async (t) => {
  for (const kind of ['chunk', 'end', 'error', 'head'] as const) {
    const { mux, log, mesh, timers } = await scene(t)
    const hand = streamByHand(mux, idOf(1), openingOf(count.name, { to: 1_000 }))
    await until('a chunk', () => hand.heard.length > 0)
    hand.messages[kind].send(Buffer.from('{"n":1}'))
    await until('the end of the stream', () => hand.state.closed)
    t.is(Object(hand.heard.at(-1)?.value).code, 'PROTOCOL_VIOLATION', kind)
    await until('the end of the handler', () => log.running === 0)
    t.is(mesh.time.pending, timers)
  }
})

test('should refuse typed when an opening is malformed', async (t) => {
  const { mux, piped, log } = await scene(t)
  const openings: [Buffer, string][] = [
    [Buffer.alloc(0), 'INVALID_REQUEST'],
    [Buffer.from('not json'), 'INVALID_REQUEST'],
    [Buffer.from([0xff]), 'INVALID_REQUEST'],
    [openingOf(count.name, { to: 1 }, { credit: 0 }), 'INVALID_REQUEST'],
    [openingOf(count.name, { to: 1 }, { credit: 5_000 }), 'INVALID_REQUEST'],
    [openingOf(count.name, { to: 1 }, { admin: true }), 'INVALID_REQUEST'],
    [openingOf(count.name, { to: 1 }, { header: {} }), 'INVALID_REQUEST'],
    [openingOf(count.name, { to: '1' }), 'INVALID_REQUEST'],
    [openingOf('constructor', { to: 1 }), 'UNKNOWN_METHOD'],
    [openingOf(echo.name, { text: '' }), 'UNKNOWN_METHOD'],
    [Buffer.alloc(2 * 1024 * 1024 + 1, 0x20), 'PAYLOAD_TOO_LARGE'],
  ]
  for (const [i, [opening, code]] of openings.entries()) {
    const hand = streamByHand(mux, idOf(i), opening)
    await until(`the end of opening ${i}`, () => hand.state.closed)
    t.is(Object(hand.heard[0]?.value).code, code, `opening ${i}`)
  }
  t.is(log.started, 0)
  t.absent(piped.responder.destroying)
})

test('should refuse typed and keep the connection when a message is larger than its kind may be', async (t) => {
  const { mux, request, responses, stream, log, piped, mesh, gateway } = await scene(t)
  const large = Buffer.alloc(2 * 1024 * 1024 + 1, 0x20)
  request.send(rpcRequest(1, echo.name, large))
  await until('the answer to the call', () => responses.length > 0)
  t.ok(Buffer.from(responses[0] ?? []).includes('PAYLOAD_TOO_LARGE'))
  const hand = streamByHand(mux, idOf(1), large)
  await until('the end of the stream', () => hand.state.closed)
  t.is(Object(hand.heard[0]?.value).code, 'PAYLOAD_TOO_LARGE')
  sendFrame(stream, Buffer.concat([Buffer.from([99, 0]), large]))
  await settle(10)
  t.absent(piped.responder.destroying)
  t.is(log.started, 0)
  await stillServes(t, mesh, gateway)
})

test('should answer within the shorter time when a caller asks for very little or very much', async (t) => {
  const forever = new Service().stream(count, async function* () {
    yield { n: 0 }
    await new Promise(() => {})
    return { total: 0 }
  })
  const { mux, mesh, timers } = await scene(t, {
    service: forever,
    limits: { heartbeatIntervalMs: 1_000_000 },
  })
  const header = JSON.parse(openingOf('x', {}).toString()).header
  const open = (id: number, remainingMs: number) => {
    const changes = { header: { ...header, remainingMs } }
    return streamByHand(mux, idOf(id), openingOf(count.name, { to: 1 }, changes))
  }
  const [short, long] = [open(1, 1), open(2, 86_400_000)]
  await until('both first chunks', () => short.heard.length > 0 && long.heard.length > 0)
  await mesh.time.advance(1)
  await until('the end of the short one', () => short.state.closed)
  t.is(Object(short.heard.at(-1)?.value).code, 'DEADLINE_EXCEEDED')
  await mesh.time.advance(Number(count.timeoutMs))
  await until('the end of the long one', () => long.state.closed)
  t.is(Object(long.heard.at(-1)?.value).code, 'DEADLINE_EXCEEDED')
  t.is(mesh.time.pending, timers)
})

test('should refuse all above the limit and serve the rest when streams are opened in thousands', async (t) => {
  const { mux, log, piped, mesh, timers } = await scene(t, {
    limits: { maxStreamsPerKey: 4 },
  })
  const hands: HandStream[] = []
  for (let i = 0; i < 500; i += 1) {
    hands.push(streamByHand(mux, idOf(i), openingOf(count.name, { to: 1_000 })))
  }
  // The gateway pauses while it reads them.
  const isRefused = () => hands.filter(({ state }) => state.closed).length === 496
  await mesh.time.advanceUntil(until('the refusals', isRefused))
  t.is(log.started, 4)
  const refused = hands.filter(({ heard }) => Object(heard[0]?.value).code === 'OVERLOADED')
  t.is(refused.length, 496)
  for (const { channel } of hands) channel.close()
  await mesh.time.advanceUntil(until('the handlers to end', () => log.running === 0))
  const last = streamByHand(mux, idOf(9_999), openingOf(count.name, { to: 1 }))
  await mesh.time.advanceUntil(until('an answer', () => last.state.closed))
  t.is(last.heard.at(-1)?.kind, 'end')
  t.is(mesh.time.pending, timers)
  t.absent(piped.responder.destroying)
})

test('should reject the channel when its protocol is not spoken here', async (t) => {
  const { mux, piped } = await scene(t)
  let closed = 0
  for (let i = 0; i < 500; i += 1) {
    const onclose = () => {
      closed += 1
    }
    const channel = mux.createChannel({ protocol: `made/up/${i}`, id: idOf(i), onclose })
    const message = channel?.addMessage({ encoding: encodings.raw, onmessage: () => {} })
    channel?.open()
    message?.send(Buffer.alloc(100))
  }
  await until('all rejections', () => closed === 500)
  t.absent(piped.responder.destroying)
})

test('should cut the connection when a caller asks and asks and reads no answer', async (t) => {
  const megabyte = 'x'.repeat(1024 * 1024 - 100)
  const service = new Service().unary(echo, async () => ({ text: megabyte }))
  const { stream, request, mesh, piped } = await scene(t, { service })
  Object(stream).pause()
  const { header } = JSON.parse(openingOf('x', {}).toString())
  const call = Buffer.from(JSON.stringify({ header, body: { text: '' } }))
  for (let id = 1; id <= 70; id += 1) {
    request.send(rpcRequest(id, echo.name, call))
    if (id % 4 === 0) await settle(2)
  }
  await settle(10)
  await mesh.time.advance(TEST_LIMITS.heartbeatIntervalMs)
  await until('the end of the connection', () => piped.responder.destroyed)
  t.is(mesh.time.pending, 0)
})

test('should stop the handlers and leave no timer when their caller vanishes', async (t) => {
  const { mux, stream, log, mesh, piped } = await scene(t)
  for (let i = 0; i < 4; i += 1) streamByHand(mux, idOf(i), openingOf(count.name, { to: 1_000 }))
  await until('the handlers to run', () => log.running === 4)
  stream.destroy()
  await until('the handlers to end', () => log.running === 0)
  await until('the end of the connection', () => piped.responder.destroyed)
  t.ok(log.signals.every(({ aborted }) => aborted))
  t.is(mesh.time.pending, 0)
})

test('should notice by the silence when a caller is cut off without a word', async (t) => {
  const { mux, log, mesh, piped } = await scene(t)
  streamByHand(mux, idOf(1), openingOf(count.name, { to: 1_000 }))
  await until('the handler to run', () => log.running === 1)
  piped.initiatorEnd.stall()
  await mesh.time.advance(1_000)
  await until('the handler to end', () => log.running === 0)
  t.is(mesh.time.pending, 0)
})
