import test, { type Test } from 'brittle'
import encodings from 'compact-encoding'
import type HyperDHT from 'hyperdht'
import type Protomux from 'protomux'
import {
  addStreamMessages,
  type StreamMessages,
} from '../../../../../facilities/network/calls/stream-wire.js'
import { tokenChunks } from '../../../../../helpers/protocol/token-chunk.js'
import { type HostilePeer, proveByHand } from '../../../../helpers/network/hostile-peer.js'
import { TEST_LIMITS } from '../../../../helpers/network/mesh-fixture.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { count, echo } from '../../../../helpers/network/sample-service.js'
import { say, tokenAt } from '../../../../helpers/network/sample-streams.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

const json = (value: unknown) => Buffer.from(JSON.stringify(value))

/** A client, connected to a gateway with a genuine certificate that answers as it likes. */
async function scene(
  t: Test,
  answer: (messages: StreamMessages, channel: Protomux.Channel) => void,
) {
  const mesh = new PipedMesh(t)
  const client = await mesh.node('client')
  const identity = mesh.authority.identity('gateway')
  const server = mesh.network.dht().createServer({})
  await server.listen(identity.keyPair)
  const proved = new Promise<HostilePeer>((resolve, reject) => {
    server.on('connection', (stream: HyperDHT.SecretStream) => {
      proveByHand(stream, identity).then(resolve, reject)
    })
  })
  const { signal } = new AbortController()
  const connection = await client.node.dial(identity.keyPair.publicKey, [], signal)
  const hostile = await proved
  const seen = { streams: 0, closed: 0, credit: 0 }
  hostile.mux.pair({ protocol: 'starling/stream' }, (id) => {
    seen.streams += 1
    const channel = hostile.mux.createChannel({
      protocol: 'starling/stream',
      id,
      handshake: encodings.raw,
      onopen: () => {
        if (channel !== null) answer(messages, channel)
      },
      onclose: () => {
        seen.closed += 1
      },
    })
    if (channel === null) throw new Error('No channel')
    const messages = addStreamMessages(channel, {
      onChunk: () => {},
      onEnd: () => {},
      onError: () => {},
      onCredit: (chunks) => {
        seen.credit += chunks
      },
      onHead: () => {},
    })
    channel.open(Buffer.alloc(0))
  })
  return { mesh, connection, hostile, seen, timers: mesh.time.pending }
}

test('should fail with PROTOCOL_VIOLATION and close the stream when the answer breaks the rules', async (t) => {
  const answers: Record<string, (messages: StreamMessages) => void> = {
    'more chunks than were granted': ({ chunk }) => {
      for (let n = 0; n < 50; n += 1) chunk.send(json({ n }))
    },
    'a chunk larger than a chunk may be': ({ chunk }) => {
      chunk.send(json({ n: 0, filling: 'x'.repeat(70_000) }))
    },
    'a chunk that is not as agreed': ({ chunk }) => void chunk.send(json({ n: 'one' })),
    'a chunk with more fields': ({ chunk }) => void chunk.send(json({ n: 1, admin: true })),
    'a chunk that is no JSON': ({ chunk }) => void chunk.send(Buffer.from('{')),
    'an end that is not as agreed': ({ end }) => void end.send(json({ total: 'many' })),
    'an error that is none': ({ error }) => void error.send(json({ message: 'x' })),
    'binary where JSON was said': ({ chunk }) =>
      void chunk.send(tokenChunks.encode([{ text: 'x', tokenId: 1, index: 0 }])),
    'credit from the sender': ({ credit }) => void credit.send(5),
    'a head where there is none': ({ head }) => void head.send(json({ title: 'x' })),
  }
  for (const [name, answer] of Object.entries(answers)) {
    const { connection, mesh, seen, timers } = await scene(t, answer)
    const readAll = async () => {
      for await (const _ of connection.open(count, { to: 1 }, mesh.call()));
    }
    t.is(Object(await rejectionOf(readAll())).code, 'PROTOCOL_VIOLATION', name)
    await until('the close', () => seen.closed === 1)
    t.is(mesh.time.pending, timers)
    t.ok(connection.isOpen)
  }
})

test('should fail with PROTOCOL_VIOLATION when the head is not the first, or the tokens are none', async (t) => {
  const HEAD = json({ title: 'x' })
  const token = (index: number) => tokenChunks.encode([{ text: 'x', tokenId: 1, index }])
  const tokens = Array.from({ length: 100 }, (_, index) => token(index))
  const answers: Record<string, (messages: StreamMessages) => void> = {
    'a chunk before the head': ({ chunk, head }) => {
      chunk.send(token(0))
      head.send(HEAD)
    },
    'an end before the head': ({ end }) => void end.send(json({ total: 0 })),
    'a second head': ({ head, chunk }) => {
      head.send(HEAD)
      chunk.send(token(0))
      head.send(HEAD)
    },
    'a head that is not as agreed': ({ head }) => void head.send(json({ title: 7 })),
    'a head that is no JSON': ({ head }) => void head.send(token(0)),
    'JSON where binary was said': ({ head, chunk }) => {
      head.send(HEAD)
      chunk.send(json({ text: 'x', tokenId: 1, index: 0 }))
    },
    'no tokens': ({ head, chunk }) => {
      head.send(HEAD)
      chunk.send(Buffer.from([0, 0, 0, 0, 0]))
    },
    'more tokens than were granted': ({ head, chunk }) => {
      head.send(HEAD)
      for (const message of tokens) chunk.send(message)
    },
    'more tokens than were granted, in few messages': ({ head, chunk }) => {
      head.send(HEAD)
      for (const first of [0, 5, 10]) {
        const five = Array.from({ length: 5 }, (_, offset) => tokenAt(first + offset))
        chunk.send(tokenChunks.encode(five))
      }
    },
  }
  for (const [name, answer] of Object.entries(answers)) {
    const { connection, mesh, seen, timers } = await scene(t, answer)
    const stream = connection.open(say, { words: 1 }, mesh.call())
    const readAll = async () => {
      await stream.head()
      for await (const _ of stream);
    }
    t.is(Object(await rejectionOf(readAll())).code, 'PROTOCOL_VIOLATION', name)
    await until('the close', () => seen.closed === 1)
    t.is(mesh.time.pending, timers)
    t.ok(connection.isOpen)
  }
})

test('should fail before the head, and leave nothing behind, when only the head is waited for', async (t) => {
  const { connection, mesh, seen, timers } = await scene(t, ({ error }) => {
    error.send(json({ code: 'OVERLOADED', message: 'full' }))
  })
  const answer = connection.open(say, { words: 1 }, mesh.call())
  t.is(Object(await rejectionOf(answer.head())).code, 'OVERLOADED')
  await until('the close', () => seen.closed === 1)
  t.is(mesh.time.pending, timers)
  t.is(Object(await rejectionOf(answer.head())).code, 'OVERLOADED', 'and says so again')
})

test('should not gather what is larger than a chunk when nobody has read it yet', async (t) => {
  const { connection, mesh, seen } = await scene(t, ({ chunk }) => {
    chunk.send(json({ n: 0 }))
    for (let i = 0; i < 5; i += 1) chunk.send(Buffer.alloc(2 * 1024 * 1024, 0x20))
  })
  const stream = connection.open(count, { to: 1 }, mesh.call())
  t.alike((await stream.next()).value, { n: 0 })
  await until('the close, while the reader is busy', () => seen.closed === 1)
  t.is(Object(await rejectionOf(stream.next())).code, 'PROTOCOL_VIOLATION')
})

test('should fail with PEER_LOST when the stream is closed without an end', async (t) => {
  const { connection, mesh, timers } = await scene(t, ({ chunk }, channel) => {
    chunk.send(json({ n: 0 }))
    channel.close()
  })
  const stream = connection.open(count, { to: 1 }, mesh.call())
  t.alike((await stream.next()).value, { n: 0 })
  t.is(Object(await rejectionOf(stream.next())).code, 'PEER_LOST')
  t.is(mesh.time.pending, timers)
})

test('should take the first of two endings when more than one is sent', async (t) => {
  const { connection, mesh } = await scene(t, ({ end, error, chunk }) => {
    end.send(json({ total: 1 }))
    error.send(json({ code: 'INTERNAL', message: 'x' }))
    chunk.send(json({ n: 9 }))
    end.send(json({ total: 2 }))
  })
  const step = await connection.open(count, { to: 1 }, mesh.call()).next()
  t.alike(step, { done: true, value: { total: 1 } })
})

test('should wait no longer than its deadline when the answer never comes', async (t) => {
  const { connection, mesh, seen, timers } = await scene(t, () => {})
  const options = () => mesh.call({ timeoutMs: 200 })
  const stream = rejectionOf(connection.open(count, { to: 1 }, options()).next())
  const call = rejectionOf(connection.call(echo, { text: '' }, options()))
  await until('the stream', () => seen.streams === 1)
  await mesh.time.advance(200)
  t.is(Object(await stream).code, 'DEADLINE_EXCEEDED')
  t.is(Object(await call).code, 'DEADLINE_EXCEEDED')
  await until('the close', () => seen.closed === 1)
  t.is(mesh.time.pending, timers)
})

test('should fail with PROTOCOL_VIOLATION when the answer to a call is malformed', async (t) => {
  const answers = [
    Buffer.alloc(0),
    Buffer.from('not json'),
    json({ body: { text: 'a', admin: true } }),
    json({ body: { text: 'a' }, error: { code: 'INTERNAL', message: '' } }),
    json({ error: { code: 'INTERNAL', message: '', stack: 'at …' } }),
    Buffer.alloc(1024 * 1024 + 1, 0x20),
  ]
  for (const [i, answer] of answers.entries()) {
    const { connection, mesh, hostile } = await scene(t, () => {})
    const call = rejectionOf(connection.call(echo, { text: '' }, mesh.call()))
    await until('the request', () => hostile.requests.length === 1)
    // No flags, id 1, the value.
    hostile.respond.send(Buffer.concat([Buffer.from([0, 1]), answer]))
    t.is(Object(await call).code, 'PROTOCOL_VIOLATION', `answer ${i}`)
    t.ok(connection.isOpen)
  }
})

test('should ignore answers that match no request', async (t) => {
  const { connection, mesh, hostile } = await scene(t, () => {})
  for (const id of [0, 1, 77, 252]) hostile.respond.send(Buffer.from([0, id, 0x7b]))
  await settle(10)
  t.ok(connection.isOpen)
  const call = connection.call(echo, { text: 'a' }, mesh.call())
  await until('the request', () => hostile.requests.length === 1)
  const answer = Buffer.concat([Buffer.from([0, 1]), json({ body: { text: 'a' } })])
  hostile.respond.send(answer)
  hostile.respond.send(answer)
  t.alike(await call, { text: 'a' })
})

const LARGE_BYTES = 60_000

/** A chunk as large as most may be: spaces are valid JSON. */
const largeChunk = (n: number) => Buffer.from(JSON.stringify({ n }).padEnd(LARGE_BYTES))

test('should cut the connection when a worker sends more than is kept for slow readers', async (t) => {
  const { connection, mesh, seen } = await scene(t, (messages) => {
    for (let n = 0; n < 8; n += 1) messages.chunk.send(largeChunk(n))
  })
  const limit = TEST_LIMITS.maxUnreadBytesPerKey * TEST_LIMITS.workerFactor
  const streams: AsyncGenerator<unknown, unknown, void>[] = []
  while (connection.isOpen && streams.length < 40) {
    const chunks = connection.open(count, { to: 8 }, mesh.call())
    streams.push(chunks)
    // The first is read, seven are not.
    await chunks.next().catch(() => {})
    await settle(3)
  }
  await connection.closed
  const keptBytes = (streams.length - 1) * 7 * LARGE_BYTES
  t.ok(keptBytes < limit && keptBytes > limit / 2, `${keptBytes} bytes`)
  t.ok(seen.streams > 2)
})

test('should keep nothing of a stream when its reader has left', async (t) => {
  const { connection, mesh } = await scene(t, (messages) => {
    for (let n = 0; n < 8; n += 1) messages.chunk.send(largeChunk(n))
  })
  for (let round = 0; round < 40; round += 1) {
    const chunks = connection.open(count, { to: 8 }, mesh.call())
    await chunks.next().catch(() => {})
    await settle(2)
    await chunks.return({ total: 0 })
  }
  t.ok(connection.isOpen)
})
