import encodings from 'compact-encoding'
import type HyperDHT from 'hyperdht'
import Protomux from 'protomux'
import { z } from 'zod'
import { Service } from '../../facilities/network/calls/service.js'
import { roles } from '../../helpers/protocol/call-policy.js'
import { generationEndSchema, type Token } from '../../helpers/protocol/generation.js'
import { stream } from '../../helpers/protocol/method.js'
import { tokenChunks } from '../../helpers/protocol/token-chunk.js'
import type { Comparison } from '../measure.js'
import { freshKeyPair, ORIGIN, openDhtPair, openNodePair } from './node-pair.js'

const CHUNKS = 20_000
const WINDOW = 64

const count = stream({
  name: 'bench.count',
  request: z.strictObject({ chunks: z.number() }),
  chunk: tokenChunks,
  end: generationEndSchema,
  timeoutMs: 60_000,
  idempotent: true,
  callers: roles('client'),
})

/** A stream of tokens, compared with a protomux channel that has the same credits and nothing else. */
export async function tokenStreamRows(): Promise<{ rows: Comparison[]; close(): Promise<void> }> {
  const pair = await openNodePair(
    new Service().stream(count, async function* ({ chunks }) {
      for (let index = 0; index < chunks; index += 1) yield tokenAt(index)
      return {
        finishReason: 'stop' as const,
        promptTokens: 1,
        cachedTokens: 0,
        completionTokens: chunks,
        timings: { promptMs: 0, generationMs: 0 },
      }
    }),
  )
  const raw = await openRawChannels()
  const row = (streams: number): Comparison => ({
    what: `token stream, ${streams} at once`,
    against: 'raw protomux channel',
    unit: 'chunks/s',
    goal: 'at least 0.8',
    compare: 'ratio',
    baseline: () => rateOf(streams, (chunks) => raw.read(chunks)),
    starling: () =>
      rateOf(streams, async (chunks) => {
        for await (const _token of pair.connection.open(count, { chunks }, { origin: ORIGIN })) {
          // Only the rate is measured.
        }
      }),
  })
  return {
    rows: [row(1), row(16)],
    async close() {
      await raw.close()
      await pair.close()
    },
  }
}

function tokenAt(index: number): Token {
  return { text: ' word', tokenId: index % 6400, index }
}

async function rateOf(streams: number, read: (chunks: number) => Promise<void>): Promise<number> {
  const chunks = Math.floor(CHUNKS / streams)
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: streams }, () => read(chunks)))
  return ((chunks * streams) / (performance.now() - startedAt)) * 1000
}

/** Raw channels that carry the same JSON tokens with the same credit window. */
async function openRawChannels(): Promise<{
  read(chunks: number): Promise<void>
  close(): Promise<void>
}> {
  const dht = await openDhtPair()
  const keyPair = freshKeyPair()
  const server = dht.one.createServer({})
  server.on('connection', (socket: HyperDHT.SecretStream) => {
    socket.on('error', () => undefined)
    const mux = Protomux.from(socket)
    mux.pair({ protocol: 'raw' }, (id) => sendTokens(mux, id))
  })
  await server.listen(keyPair)
  const socket = dht.other.connect(keyPair.publicKey)
  socket.on('error', () => undefined)
  await socket.opened
  const mux = Protomux.from(socket)
  let opened = 0
  return {
    read(chunks) {
      const id = Buffer.alloc(8)
      id.writeUInt32BE(++opened)
      return readTokens(mux, id, chunks)
    },
    async close() {
      socket.destroy()
      await server.close()
      await dht.close()
    },
  }
}

function sendTokens(mux: Protomux, id: Uint8Array | null): void {
  let total = 0
  let sent = 0
  let credit = WINDOW
  const channel = mux.createChannel({
    protocol: 'raw',
    id,
    handshake: encodings.raw,
    onopen: (handshake) => {
      total = Number(Buffer.from(handshake).toString())
      send()
    },
  })
  if (channel === null) return
  const chunk = channel.addMessage<Uint8Array>({
    encoding: encodings.raw,
    onmessage: () => undefined,
  })
  channel.addMessage<number>({
    encoding: encodings.uint,
    onmessage: (chunks) => {
      credit += chunks
      send()
    },
  })
  const send = () => {
    for (; credit > 0 && sent < total; credit -= 1, sent += 1) {
      chunk.send(Buffer.from(JSON.stringify(tokenAt(sent))))
    }
  }
  channel.open(Buffer.alloc(0))
}

function readTokens(mux: Protomux, id: Uint8Array, chunks: number): Promise<void> {
  return new Promise((resolve) => {
    let received = 0
    const channel = mux.createChannel({ protocol: 'raw', id, handshake: encodings.raw })
    if (channel === null) return
    channel.addMessage<Uint8Array>({
      encoding: encodings.raw,
      onmessage: (bytes) => {
        JSON.parse(Buffer.from(bytes).toString())
        received += 1
        if (received % (WINDOW / 2) === 0) credit.send(WINDOW / 2)
        if (received === chunks) {
          channel.close()
          resolve()
        }
      },
    })
    const credit = channel.addMessage<number>({
      encoding: encodings.uint,
      onmessage: () => undefined,
    })
    channel.open(Buffer.from(String(chunks)))
  })
}
