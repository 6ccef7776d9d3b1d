import test, { type Test } from 'brittle'
import { Service } from '../../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { readAll } from '../../../../helpers/network/call-service.js'
import {
  idOf,
  openingOf,
  proveByHand,
  streamByHand,
} from '../../../../helpers/network/hostile-peer.js'
import { TEST_LIMITS } from '../../../../helpers/network/mesh-fixture.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { addUp } from '../../../../helpers/network/sample-streams.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

const WINDOW = TEST_LIMITS.streamWindowChunks

/** A gateway that adds up, and what its handler did. */
function addingService() {
  const log = { running: 0, read: 0, failure: null as unknown }
  const service = new Service().stream(addUp, async function* (_request, { input }) {
    log.running += 1
    let sum = 0
    try {
      for await (const { n } of input) {
        log.read += 1
        sum += n
        yield { sum }
      }
      return { total: sum }
    } catch (error) {
      log.failure = error
      throw error
    } finally {
      log.running -= 1
    }
  })
  return { service, log }
}

async function* numbers(to: number, log = { made: 0, isClosed: false }) {
  try {
    for (let n = 1; n <= to; n += 1) {
      log.made += 1
      yield { n }
    }
  } finally {
    log.isClosed = true
  }
}

/** The gateway, and a caller that does as it likes. */
async function handScene(t: Test) {
  const mesh = new PipedMesh(t)
  const { service, log } = addingService()
  const gateway = await mesh.node('gateway', {
    service,
    limits: { heartbeatIntervalMs: 1_000_000 },
  })
  const identity = mesh.authority.identity('client')
  const stream = mesh.network.dht().connect(gateway.identity.keyPair.publicKey, {
    keyPair: identity.keyPair,
  })
  t.teardown(() => stream.destroy(), { order: -1 })
  const { mux } = await proveByHand(stream, identity)
  await settle(10)
  const timers = mesh.time.pending
  const hand = streamByHand(mux, idOf(1), openingOf(addUp.name, {}))
  await until('the first credit', () => hand.heard[0]?.kind === 'credit')
  const [piped] = mesh.network.connections.slice(-1)
  return { mesh, log, hand, timers, isCut: () => piped?.responder.destroying ?? true }
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value))

test('should deliver all chunks of both ends when a stream goes both ways', async (t) => {
  const mesh = new PipedMesh(t)
  const { service, log } = addingService()
  const { connection } = await mesh.connected(service)
  const timers = mesh.time.pending
  const answer = connection.open(addUp, {}, { ...mesh.call(), input: numbers(100) })
  const { chunks, end } = await readAll(answer)
  t.is(chunks.length, 100)
  t.alike([chunks[0], chunks[99], end], [{ sum: 1 }, { sum: 5050 }, { total: 5050 }])
  t.is(log.running, 0)
  t.is(mesh.time.pending, timers)
})

test('should answer what was sent so far when the caller sends more later', async (t) => {
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(addingService().service)
  let send: (n: number) => void = () => undefined
  async function* typed() {
    for (;;) {
      const n = await new Promise<number>((resolve) => {
        send = resolve
      })
      yield { n }
    }
  }
  const answer = connection.open(addUp, {}, { ...mesh.call(), input: typed() })
  for (const [n, sum] of [
    [3, 3],
    [4, 7],
  ] as const) {
    const next = answer.next()
    await settle()
    send(n)
    t.alike((await next).value, { sum })
  }
  await answer.return({ total: 0 })
})

test('should have no input when the caller gives none', async (t) => {
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(addingService().service)
  t.alike(await readAll(connection.open(addUp, {}, mesh.call())), { chunks: [], end: { total: 0 } })
})

test('should stop the caller at the window when the handler does not read', async (t) => {
  const mesh = new PipedMesh(t)
  let goOn = () => {}
  const service = new Service().stream(addUp, async function* (_request, { input }) {
    await new Promise<void>((resolve) => {
      goOn = resolve
    })
    let total = 0
    for await (const { n } of input) total += n
    yield { sum: total }
    return { total }
  })
  const { connection } = await mesh.connected(service)
  const log = { made: 0, isClosed: false }
  const reading = readAll(connection.open(addUp, {}, { ...mesh.call(), input: numbers(50, log) }))
  await settle(20)
  t.is(log.made, WINDOW)
  goOn()
  t.alike((await reading).end, { total: 1275 })
})

test('should end both ends when the caller leaves or its input fails', async (t) => {
  const mesh = new PipedMesh(t)
  const { service, log } = addingService()
  const { connection } = await mesh.connected(service)
  const timers = mesh.time.pending
  const made = { made: 0, isClosed: false }
  const left = connection.open(addUp, {}, { ...mesh.call(), input: numbers(1_000, made) })
  await left.next()
  await left.return({ total: 0 })
  await until('the handler to end', () => log.running === 0)
  await until('the input to be closed', () => made.isClosed)

  const failure = new StarlingError('CANCELLED', 'typed no further')
  async function* failing() {
    yield { n: 1 }
    throw failure
  }
  const failed = connection.open(addUp, {}, { ...mesh.call(), input: failing() })
  t.is(await rejectionOf(readAll(failed)), failure)
  await until('the handler to end', () => log.running === 0)
  t.is(mesh.time.pending, timers)
})

test('should not take an input for complete when its caller leaves', async (t) => {
  const mesh = new PipedMesh(t)
  const { service, log } = addingService()
  const { connection } = await mesh.connected(service)
  async function* silent() {
    yield { n: 1 }
    await new Promise(() => {})
  }
  const answer = connection.open(addUp, {}, { ...mesh.call(), input: silent() })
  await answer.next()
  await settle()
  await answer.return({ total: 0 })
  await until('the handler to end', () => log.running === 0)
  t.is(Object(log.failure).code, 'CANCELLED')
})

test('should close the input when the handler ends before it', async (t) => {
  const mesh = new PipedMesh(t)
  const service = new Service().stream(addUp, async function* (_request, { input }) {
    const first = await input.next()
    yield { sum: first.done ? 0 : first.value.n }
    return { total: 1 }
  })
  const { connection } = await mesh.connected(service)
  const log = { made: 0, isClosed: false }
  const answer = connection.open(addUp, {}, { ...mesh.call(), input: numbers(1_000, log) })
  t.alike(await readAll(answer), { chunks: [{ sum: 1 }], end: { total: 1 } })
  await until('the input to be closed', () => log.isClosed)
})

test('should end the stream typed, with the connection kept, when the input breaks the rules', async (t) => {
  const wrong: Record<
    string,
    [(hand: Awaited<ReturnType<typeof handScene>>['hand']) => void, string]
  > = {
    'a chunk larger than a chunk may be': [
      ({ messages }) => void messages.chunk.send(Buffer.alloc(70_000, 0x20)),
      'PROTOCOL_VIOLATION',
    ],
    'a chunk that is not as agreed': [
      ({ messages }) => void messages.chunk.send(json({ n: 'one' })),
      'INVALID_REQUEST',
    ],
    'binary where JSON was said': [
      ({ messages }) => void messages.chunk.send(Buffer.from([0xff, 0, 1])),
      'INVALID_REQUEST',
    ],
    'an error': [({ messages }) => void messages.error.send(json({})), 'PROTOCOL_VIOLATION'],
  }
  for (const [name, [send, code]] of Object.entries(wrong)) {
    const { mesh, log, hand, timers, isCut } = await handScene(t)
    send(hand)
    await until('the end of the stream', () => hand.state.closed)
    t.is(Object(hand.heard.at(-1)?.value).code, code, name)
    await until('the handler to end', () => log.running === 0)
    t.is(mesh.time.pending, timers)
    t.absent(isCut(), 'the connection is kept')
  }
})

test('should keep no more than the window when a caller floods a lasting stream that nobody reads', async (t) => {
  const { hand, log, isCut } = await handScene(t)
  await until('the handler to run', () => log.running === 1)
  // The handler has credit for four sums, and then stops reading.
  for (let n = 0; n < WINDOW; n += 1) hand.messages.chunk.send(json({ n }))
  await settle(20)
  t.absent(hand.state.closed, 'as many as were granted')
  for (let n = 0; n < 1_000; n += 1) hand.messages.chunk.send(json({ n }))
  await until('the end of the stream', () => hand.state.closed)
  t.is(Object(hand.heard.at(-1)?.value).code, 'PROTOCOL_VIOLATION')
  await until('the handler to end', () => log.running === 0)
  t.absent(isCut())
})
