import HyperswarmRPC from '@hyperswarm/rpc'
import encodings from 'compact-encoding'
import type HyperDHT from 'hyperdht'
import { z } from 'zod'
import { Service } from '../../facilities/network/calls/service.js'
import { roles } from '../../helpers/protocol/call-policy.js'
import { unary } from '../../helpers/protocol/method.js'
import { freshKeyPair } from './node-pair.js'

const RAW = { valueEncoding: encodings.raw }

/** A unary method that answers with its request. */
export const echo = unary({
  name: 'bench.echo',
  request: z.strictObject({ text: z.string() }),
  response: z.strictObject({ text: z.string() }),
  timeoutMs: 10_000,
  idempotent: true,
  callers: roles('client'),
})

/** Answers {@link echo}. */
export function echoService(): Service {
  return new Service().unary(echo, async ({ text }) => ({ text }))
}

/** Answers the same over @hyperswarm/rpc only. */
export async function openRawServer(
  dht: HyperDHT,
): Promise<{ publicKey: Uint8Array; close(): Promise<void> }> {
  const keyPair = freshKeyPair()
  const rpc = new HyperswarmRPC({ dht, keyPair })
  const server = rpc.createServer()
  // JSON on both sides, because encoding it is part of the work of a call.
  server.respond('echo', RAW, async (bytes) =>
    Buffer.from(JSON.stringify(JSON.parse(Buffer.from(bytes).toString()))),
  )
  await server.listen(keyPair)
  return { publicKey: keyPair.publicKey, close: () => rpc.destroy() }
}

/** Calls a {@link openRawServer}. */
export interface RawClient {
  call(text: string): Promise<unknown>
  close(): Promise<void>
}

/** Connects to a {@link openRawServer}. */
export function openRawClient(dht: HyperDHT, publicKey: Uint8Array): RawClient {
  const rpc = new HyperswarmRPC({ dht, keyPair: freshKeyPair() })
  const client = rpc.connect(publicKey)
  return {
    async call(text) {
      const request = Buffer.from(JSON.stringify({ text }))
      const response = await client.request('echo', request, RAW)
      return JSON.parse(Buffer.from(response).toString())
    },
    close: () => rpc.destroy(),
  }
}
