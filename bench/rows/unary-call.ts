import HyperswarmRPC from '@hyperswarm/rpc'
import encodings from 'compact-encoding'
import { z } from 'zod'
import { Service } from '../../facilities/network/calls/service.js'
import { roles } from '../../helpers/protocol/call-policy.js'
import { unary } from '../../helpers/protocol/method.js'
import type { Comparison } from '../measure.js'
import { freshKeyPair, ORIGIN, openDhtPair, openNodePair } from './node-pair.js'

const CALLS = 4000
/**
 * 0.5 to 1.5 KB, 1 KB on average. A single size would be misleading: the transport paces packets with a timer of
 * 1 ms, and whether a call has to wait for it depends on its exact size.
 */
const TEXTS = Array.from({ length: 64 }, (_, index) => 'x'.repeat(512 + index * 16))
const RAW = { valueEncoding: encodings.raw }

const echo = unary({
  name: 'bench.echo',
  request: z.strictObject({ text: z.string() }),
  response: z.strictObject({ text: z.string() }),
  timeoutMs: 10_000,
  idempotent: true,
  callers: roles('client'),
})

/** A unary call with 1 KB in both directions, compared with the same over @hyperswarm/rpc only. */
export async function unaryCallRows(): Promise<{ rows: Comparison[]; close(): Promise<void> }> {
  const pair = await openNodePair(new Service().unary(echo, async ({ text }) => ({ text })))
  const raw = await openRawRpc()
  const row = (atOnce: number): Comparison => ({
    what: `unary call, 1 KB, ${atOnce} at once`,
    against: 'raw @hyperswarm/rpc',
    unit: 'calls/s',
    goal: 'at least 0.85',
    compare: 'ratio',
    baseline: () => rateOf(atOnce, (text) => raw.call(text)),
    starling: () =>
      rateOf(atOnce, (text) => pair.connection.call(echo, { text }, { origin: ORIGIN })),
  })
  return {
    rows: [row(1), row(64)],
    async close() {
      await raw.close()
      await pair.close()
    },
  }
}

async function openRawRpc(): Promise<{
  call(text: string): Promise<unknown>
  close(): Promise<void>
}> {
  const dht = await openDhtPair()
  const keyPair = freshKeyPair()
  const serverRpc = new HyperswarmRPC({ dht: dht.one, keyPair })
  const server = serverRpc.createServer()
  // JSON on both sides, because encoding it is part of the work of a call.
  server.respond('echo', RAW, async (bytes) =>
    Buffer.from(JSON.stringify(JSON.parse(Buffer.from(bytes).toString()))),
  )
  await server.listen(keyPair)
  const clientRpc = new HyperswarmRPC({ dht: dht.other, keyPair: freshKeyPair() })
  const client = clientRpc.connect(keyPair.publicKey)
  return {
    async call(text) {
      const request = Buffer.from(JSON.stringify({ text }))
      const response = await client.request('echo', request, RAW)
      return JSON.parse(Buffer.from(response).toString())
    },
    async close() {
      await clientRpc.destroy()
      await serverRpc.destroy()
      await dht.close()
    },
  }
}

/** Calls per second, with `atOnce` calls in progress at all times. */
async function rateOf(atOnce: number, call: (text: string) => Promise<unknown>): Promise<number> {
  let left = CALLS
  const worker = async () => {
    while (left > 0) {
      left -= 1
      await call(TEXTS[left % TEXTS.length] ?? '')
    }
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: atOnce }, worker))
  return (CALLS / (performance.now() - startedAt)) * 1000
}
