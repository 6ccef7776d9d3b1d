import encodings from 'compact-encoding'
import type HyperDHT from 'hyperdht'
import type Protomux from 'protomux'
import {
  addStreamMessages,
  type StreamMessages,
} from '../../../facilities/network/calls/stream-wire.js'
import type { Identity } from '../../../helpers/identity/identity.js'
import { PROTOCOL_VERSIONS } from '../../../helpers/protocol/hello-message.js'
import { until } from '../until.js'
import { HelloSpeaker } from './hello-speaker.js'

/** A peer with a valid certificate, driven by hand. */
export interface HostilePeer {
  readonly mux: Protomux
  /** The channel of @hyperswarm/rpc; without it the library closes the connection. */
  readonly rpc: Protomux.Channel
  /** Sends an encoded request of @hyperswarm/rpc. */
  readonly request: Protomux.Message<Uint8Array>
  /** Sends an encoded response of @hyperswarm/rpc. */
  readonly respond: Protomux.Message<Uint8Array>
  /** What was received on that channel. */
  readonly requests: Uint8Array[]
  readonly responses: Uint8Array[]
}

/**
 * Sends a valid hello by hand. From then on the other peer trusts this one.
 *
 * @param beforeHello runs on the connection before anything is sent
 */
export async function proveByHand(
  stream: HyperDHT.SecretStream,
  identity: Identity,
  beforeHello: (mux: Protomux) => Promise<void> = async () => {},
): Promise<HostilePeer> {
  stream.on('error', () => {})
  await stream.opened
  const speaker = new HelloSpeaker(stream, { membershipKey: identity.membershipKey })
  const { mux, session } = speaker
  await beforeHello(mux)
  const rpc = mux.createChannel({ protocol: 'protomux-rpc', id: session.responderPublicKey })
  if (rpc === null) throw new Error('The stream is closed')
  const requests: Uint8Array[] = []
  const responses: Uint8Array[] = []
  const keep = (kept: Uint8Array[]) =>
    rpc.addMessage({
      encoding: encodings.raw,
      onmessage: (bytes) => void kept.push(Buffer.from(bytes)),
    })
  const peer = { mux, rpc, request: keep(requests), respond: keep(responses), requests, responses }
  speaker.say('hello', speaker.honestHello(identity.certificate(), identity.keyPair.secretKey))
  await until('a welcome', () => speaker.heard.some(({ kind }) => kind === 'welcome'))
  speaker.say('welcome', { version: PROTOCOL_VERSIONS.highest })
  rpc.open()
  return peer
}

/** An encoded request of @hyperswarm/rpc. */
export function rpcRequest(id: number, method: string, value: Uint8Array): Buffer {
  const name = Buffer.from(method)
  return Buffer.concat([uint(id), uint(name.byteLength), name, value])
}

/** A stream's channel, driven by hand, with everything received on it. */
export interface HandStream {
  readonly channel: Protomux.Channel
  readonly messages: StreamMessages
  readonly heard: { kind: 'head' | 'chunk' | 'end' | 'error' | 'credit'; value: unknown }[]
  readonly state: { closed: boolean }
}

/**
 * Makes a stream's channel; it is open when `opening` has been sent. Null when the channel is refused.
 *
 * @param options.readChunk reads a message of chunks; default: as JSON
 */
export function streamByHand(
  mux: Protomux,
  id: Uint8Array | null,
  opening: Uint8Array,
  options: { unique?: boolean; readChunk?: (message: Uint8Array) => unknown } = {},
): HandStream {
  const json = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString())
  const { unique = true, readChunk = json } = options
  const heard: HandStream['heard'] = []
  const state = { closed: false }
  const channel = mux.createChannel({
    protocol: 'starling/stream',
    id,
    unique,
    handshake: encodings.raw,
    onclose: () => {
      state.closed = true
    },
  })
  if (channel === null) throw new Error('No channel')
  const messages = addStreamMessages(channel, {
    onChunk: (bytes) => heard.push({ kind: 'chunk', value: readChunk(bytes) }),
    onEnd: (bytes) => heard.push({ kind: 'end', value: json(bytes) }),
    onError: (bytes) => heard.push({ kind: 'error', value: json(bytes) }),
    onCredit: (chunks) => heard.push({ kind: 'credit', value: chunks }),
    onHead: (bytes) => heard.push({ kind: 'head', value: json(bytes) }),
  })
  channel.open(opening)
  return { channel, messages, heard, state }
}

/** An encoded opening message. */
export function openingOf(method: string, body: unknown, changes: object = {}): Buffer {
  const header = {
    requestId: 'req_1',
    remainingMs: 10_000,
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  }
  return Buffer.from(JSON.stringify({ method, header, body, credit: 4, ...changes }))
}

/** An 8-byte stream id. */
export function idOf(n: number): Buffer {
  const id = Buffer.alloc(8)
  id.writeUInt32BE(n, 4)
  return id
}

/** A frame of batches nested to that depth, which the multiplexer itself never writes. */
export function nestedBatches(depth: number): Buffer {
  // Channel 0, message 3 (close), of a channel that does not exist.
  let frame = Buffer.from([0, 3, 9])
  for (let level = 0; level < depth; level += 1) {
    const message = frame.subarray(1)
    frame = Buffer.concat([Buffer.from([0, 0, 0]), uint(message.byteLength), message])
  }
  return frame
}

function uint(n: number): Buffer {
  if (n <= 0xfc) return Buffer.from([n])
  if (n <= 0xffff) return Buffer.from([0xfd, n & 0xff, n >>> 8])
  const bytes = Buffer.alloc(5, 0xfe)
  bytes.writeUInt32LE(n, 1)
  return bytes
}
