import test, { type Test } from 'brittle'
import { Service } from '../../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { EncodedChunk } from '../../../../../helpers/protocol/chunk-codec.js'
import { tokenChunks } from '../../../../../helpers/protocol/token-chunk.js'
import {
  type HandStream,
  idOf,
  openingOf,
  proveByHand,
  streamByHand,
} from '../../../../helpers/network/hostile-peer.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { say, TokenSource, tokenAt } from '../../../../helpers/network/sample-streams.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

const GATHER_MS = 8
const HEAD = { title: 'words' }

/** A gateway that says the tokens of a source, and a client by hand that sees each message. */
async function scene(t: Test, { credit = 64, gatherMs = GATHER_MS } = {}) {
  const mesh = new PipedMesh(t)
  const source = new TokenSource()
  const service = new Service().stream(say, async () => ({ head: HEAD, chunks: source.tokens() }))
  const gateway = await mesh.node('gateway', {
    service,
    // The hand sends no heartbeats.
    limits: { gatherMs, heartbeatIntervalMs: 1_000_000 },
  })
  const identity = mesh.authority.identity('client')
  const connection = mesh.network.dht().connect(gateway.identity.keyPair.publicKey, {
    keyPair: identity.keyPair,
  })
  t.teardown(() => connection.destroy(), { order: -1 })
  const { mux } = await proveByHand(connection, identity)
  const timers = mesh.time.pending
  const opening = openingOf(say.name, { words: 1 }, { credit })
  const hand = streamByHand(mux, idOf(1), opening, {
    readChunk: (message) => tokenChunks.decode(message).map(({ index }) => index),
  })
  await until('the head', () => hand.heard.length === 1)
  return { mesh, source, hand, timers, heard: () => chunksOf(hand) }
}

/** The positions of the tokens in each message. */
function chunksOf({ heard }: HandStream): unknown[] {
  return heard.filter(({ kind }) => kind === 'chunk').map(({ value }) => value)
}

test('should send the first token at once, and gather those that follow it closely', async (t) => {
  const { mesh, source, heard } = await scene(t)
  source.push()
  await settle()
  t.alike(heard(), [[0]], 'with no time passing')
  for (let turn = 0; turn < 3; turn += 1) {
    source.push()
    await settle()
  }
  await mesh.time.advance(GATHER_MS - 1)
  t.alike(heard(), [[0]])
  await mesh.time.advance(1)
  t.alike(heard(), [[0], [1, 2, 3]])
})

test('should not hold a token when the last message is old, and send those of one tick together', async (t) => {
  const { mesh, source, heard } = await scene(t)
  source.push()
  await settle()
  await mesh.time.advance(GATHER_MS)
  source.push(2)
  await settle()
  t.alike(heard(), [[0], [1, 2]])
  await mesh.time.advance(5)
  source.push()
  await settle()
  t.is(heard().length, 2)
  await mesh.time.advance(3)
  t.alike(heard(), [[0], [1, 2], [3]], 'a token waits for no more than the rest of the time')
})

test('should send what is gathered at once when the answer ends or fails', async (t) => {
  for (const ending of ['end', 'error'] as const) {
    const { mesh, source, hand, heard, timers } = await scene(t)
    source.push()
    await settle()
    source.push(2)
    if (ending === 'end') source.end()
    else source.fail(new StarlingError('ENGINE_CRASHED', 'crashed'))
    await until('the end of the stream', () => hand.state.closed)
    t.alike(heard(), [[0], [1, 2]])
    t.is(hand.heard.at(-1)?.kind, ending)
    t.is(mesh.time.pending, timers, 'no timer is left')
  }
})

test('should send nothing and leave no timer when the stream is cancelled while tokens are gathered', async (t) => {
  const { mesh, source, hand, heard, timers } = await scene(t)
  source.push()
  await settle()
  source.push(2)
  await settle()
  t.ok(mesh.time.pending > timers)
  hand.channel.close()
  await until('the timers to end', () => mesh.time.pending === timers)
  t.alike(heard(), [[0]])
})

test('should not hold tokens of different ticks when gathering is turned off', async (t) => {
  const { source, heard } = await scene(t, { gatherMs: 0 })
  for (let turn = 0; turn < 3; turn += 1) {
    source.push()
    await settle()
  }
  t.alike(heard(), [[0], [1], [2]])
})

test('should request no more tokens than there is credit for, and hold none of the last ones', async (t) => {
  const { source, hand, heard } = await scene(t, { credit: 4 })
  source.push(10)
  await settle()
  t.alike(heard(), [[0], [1, 2, 3]])
  t.is(source.taken, 4)
  hand.messages.credit.send(2)
  await settle()
  t.alike(heard(), [[0], [1, 2, 3], [4, 5]])
  t.is(source.taken, 6)
})

test('should divide what would be too large for a message', async (t) => {
  const mesh = new PipedMesh(t)
  const text = '€'.repeat(10_000)
  const service = new Service().stream(say, async () => ({
    head: HEAD,
    chunks: (async function* () {
      for (let index = 0; index < 8; index += 1) yield { ...tokenAt(index), text }
      return { total: 8 }
    })(),
  }))
  const { connection } = await mesh.connected(service, { gateway: { limits: { gatherMs: 8 } } })
  const answer = connection.open(say, { words: 8 }, mesh.call())
  const reading = (async () => {
    let read = 0
    for await (const token of answer) {
      t.alike(token, { ...tokenAt(read), text })
      read += 1
    }
    return read
  })()
  t.is(await mesh.time.advanceUntil(reading), 8)
})

test('should fail typed when one token is larger than a message may be', async (t) => {
  const mesh = new PipedMesh(t)
  const service = new Service().stream(say, async () => ({
    head: HEAD,
    chunks: (async function* () {
      yield tokenAt(0)
      yield { ...tokenAt(1), text: 'x'.repeat(70_000) }
      return { total: 2 }
    })(),
  }))
  const { connection } = await mesh.connected(service, { gateway: { limits: { gatherMs: 8 } } })
  const answer = connection.open(say, { words: 2 }, mesh.call())
  t.alike((await answer.next()).value, tokenAt(0))
  const failure = rejectionOf(answer.next())
  t.is(Object(await mesh.time.advanceUntil(failure)).code, 'PAYLOAD_TOO_LARGE')
  t.ok(connection.isOpen)
})

/** A gateway that passes on what a processor says, message by message. */
async function relayScene(t: Test, messages: readonly Uint8Array[], credit: number) {
  const mesh = new PipedMesh(t)
  const behind = { ...say, name: 'processor.say' }
  const processor = await mesh.node('processor', {
    service: new Service().stream(behind, async () => ({
      head: HEAD,
      chunks: (async function* () {
        for (const bytes of messages) yield new EncodedChunk(bytes, tokenChunks.inspect(bytes))
        return { total: messages.length }
      })(),
    })),
    limits: { streamWindowChunks: 64 },
  })
  const service = new Service()
  const limits = { gatherMs: GATHER_MS, streamWindowChunks: 64, heartbeatIntervalMs: 1_000_000 }
  const gateway = await mesh.node('gateway', { service, limits })
  const toProcessor = await mesh.dial(gateway, processor)
  service.stream(say, async ({ words }, { signal }) => {
    const answer = toProcessor.relay(behind, { words }, mesh.call({ signal }))
    return { head: await answer.head(), chunks: answer }
  })
  const identity = mesh.authority.identity('client')
  const connection = mesh.network.dht().connect(gateway.identity.keyPair.publicKey, {
    keyPair: identity.keyPair,
  })
  t.teardown(() => connection.destroy(), { order: -1 })
  const { mux } = await proveByHand(connection, identity)
  const opening = openingOf(say.name, { words: 1 }, { credit })
  const hand = streamByHand(mux, idOf(1), opening, { readChunk: (bytes) => Buffer.from(bytes) })
  return { mesh, hand, heard: () => chunksOf(hand) }
}

test('should pass messages on as the bytes that came, at once, when a stream is relayed', async (t) => {
  const messages = [[0], [1, 2, 3], [4, 5]].map((indexes) =>
    tokenChunks.encode(indexes.map(tokenAt)),
  )
  const { hand, heard } = await relayScene(t, messages, 64)
  await until('the end', () => hand.state.closed)
  t.alike(
    heard(),
    messages.map((bytes) => Buffer.from(bytes)),
  )
  t.alike(hand.heard[0], { kind: 'head', value: HEAD })
  t.alike(hand.heard.at(-1), { kind: 'end', value: { total: 3 } })
})

test('should pass a message on whole when there is less credit than it has tokens', async (t) => {
  const messages = [[0, 1, 2, 3, 4], [5]].map((indexes) => tokenChunks.encode(indexes.map(tokenAt)))
  const { hand, heard } = await relayScene(t, messages, 2)
  await until('the first message', () => heard().length === 1)
  hand.messages.credit.send(3)
  await settle(10)
  t.is(heard().length, 1, 'what exceeded the credit is paid back first')
  hand.messages.credit.send(2)
  await until('the end', () => hand.state.closed)
  t.is(heard().length, 2)
})
