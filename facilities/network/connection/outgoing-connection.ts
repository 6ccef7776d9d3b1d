import type HyperswarmRPC from '@hyperswarm/rpc'
import type Protomux from 'protomux'
import type { PeerAddress } from '../../../helpers/discovery/remembered-peers.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { PeerIdentity } from '../../../helpers/identity/identity.js'
import { answeredError } from '../../../helpers/protocol/answered-error.js'
import { EncodedChunk, type MessageStart } from '../../../helpers/protocol/chunk-codec.js'
import { unaryResponseSchema } from '../../../helpers/protocol/envelope.js'
import {
  decodeMessage,
  encodeMessage,
  validateMessage,
} from '../../../helpers/protocol/json-message.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import {
  type AnyStreamMethod,
  type AnyUnaryMethod,
  answererOf,
  type ChunkOf,
  type EndOf,
  type HeadOf,
  type RequestInput,
  type ResponseOf,
  type StartOf,
} from '../../../helpers/protocol/method.js'
import type { Clock } from '../../clock/clock.js'
import { Deadline } from '../../clock/deadline.js'
import { OutgoingStream, type OutgoingStreamOptions } from '../calls/outgoing-stream.js'
import type { Peer } from '../calls/peers.js'
import type { CallOptions, StreamOptions } from '../calls/request-context.js'
import type { RpcAdapter } from '../calls/rpc-adapter.js'
import type { StreamAnswer } from '../calls/stream-answer.js'
import type { ConnectionMeter } from '../limits/connection-meter.js'

/** The settings of all streams that are opened. */
type StreamSettings = Pick<
  OutgoingStreamOptions<AnyStreamMethod, unknown>,
  'windowChunks' | 'gatherMs' | 'leaving'
>

/** An authenticated connection that this worker opened. It makes calls on it. */
export class OutgoingConnection implements Peer {
  readonly identity: PeerIdentity
  /** Resolves when the connection has ended, for any reason. */
  readonly closed: Promise<void>
  readonly #mux: Protomux
  readonly #rpc: RpcAdapter
  readonly #client: HyperswarmRPC.Client
  readonly #clock: Clock
  readonly #meter: ConnectionMeter
  readonly #streams: StreamSettings
  #streamsOpened = 0

  constructor(
    mux: Protomux,
    peer: PeerIdentity,
    options: { clock: Clock; rpc: RpcAdapter; meter: ConnectionMeter; streams: StreamSettings },
  ) {
    this.#mux = mux
    this.#rpc = options.rpc
    this.#clock = options.clock
    this.#meter = options.meter
    this.#streams = options.streams
    this.#client = options.rpc.connect(peer.publicKey, mux.stream)
    this.identity = peer
    this.closed = new Promise((resolve) => {
      if (mux.stream.destroyed) resolve()
      else mux.stream.once('close', () => resolve())
    })
  }

  /** The address that the packets of the peer come from; none if it is not known. */
  get remoteAddress(): readonly PeerAddress[] {
    const { remoteHost, remotePort } = this.#mux.stream.rawStream ?? {}
    return remoteHost && remotePort ? [{ host: remoteHost, port: remotePort }] : []
  }

  get isOpen(): boolean {
    return !this.#mux.stream.destroying
  }

  async call<M extends AnyUnaryMethod>(
    method: M,
    body: RequestInput<M>,
    options: CallOptions,
  ): Promise<ResponseOf<M>> {
    // An aborted call would still be executed.
    options.signal?.throwIfAborted()
    const deadline = this.#deadline(method, options)
    try {
      const request = {
        header: {
          requestId: options.origin.requestId,
          traceparent: options.origin.traceparent,
          remainingMs: Math.max(1, Math.floor(deadline.remainingMs())),
        },
        body,
      }
      const bytes = encodeMessage(request, PROTOCOL_LIMITS.unaryBytes, `the ${method.name} request`)
      const answer = this.#rpc
        .request(this.#client, method.name, bytes)
        .catch((cause: unknown) => Promise.reject(callFailure(method, cause)))
      return readResponse(method, await deadline.race(answer))
    } finally {
      deadline.dispose()
    }
  }

  open<M extends AnyStreamMethod>(
    method: M,
    body: RequestInput<M>,
    options: StreamOptions<M>,
  ): StreamAnswer<ChunkOf<M>, EndOf<M>, HeadOf<M>> {
    return this.#stream(method, body, options, (message) => method.chunk.decode(message))
  }

  relay<M extends AnyStreamMethod>(
    method: M,
    body: RequestInput<M>,
    options: StreamOptions<M>,
  ): StreamAnswer<EncodedChunk<StartOf<M>>, EndOf<M>, HeadOf<M>> {
    return this.#stream(method, body, options, (message, start) => [
      new EncodedChunk(message, start as StartOf<M>),
    ])
  }

  /** Ends the connection at once. Its requests in progress fail with PEER_LOST. */
  destroy(): void {
    this.#mux.stream.destroy()
  }

  #stream<M extends AnyStreamMethod, Item>(
    method: M,
    request: RequestInput<M>,
    call: StreamOptions<M>,
    read: (message: Uint8Array, start: MessageStart) => readonly Item[],
  ): StreamAnswer<Item, EndOf<M>, HeadOf<M>> {
    const id = Buffer.alloc(8)
    id.writeBigUInt64BE(BigInt(++this.#streamsOpened))
    return new OutgoingStream({
      ...this.#streams,
      mux: this.#mux,
      method,
      request,
      call,
      id,
      clock: this.#clock,
      startDeadline: () => this.#deadline(method, call),
      read,
      keeping: (bytes) => this.#meter.keeping(bytes),
    })
  }

  #deadline(method: AnyUnaryMethod | AnyStreamMethod, options: CallOptions): Deadline {
    const mostMs = method.timeoutMs === 'lasting' ? Number.POSITIVE_INFINITY : method.timeoutMs
    const timeoutMs = Math.min(options.timeoutMs ?? mostMs, mostMs)
    return new Deadline(this.#clock, timeoutMs, options.signal)
  }
}

function readResponse<M extends AnyUnaryMethod>(method: M, bytes: Uint8Array): ResponseOf<M> {
  const what = `the ${method.name} response`
  const envelope = orMalformed(method, () =>
    decodeMessage(bytes, unaryResponseSchema, PROTOCOL_LIMITS.unaryBytes, what),
  )
  if ('error' in envelope) throw answeredError(method, envelope.error)
  return orMalformed(
    method,
    () => validateMessage(envelope.body, method.response, what) as ResponseOf<M>,
  )
}

/** A malformed answer is the fault of the peer, not of the caller. */
function orMalformed<T>(method: AnyUnaryMethod, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new StarlingError('PROTOCOL_VIOLATION', `${method.name} sent a malformed answer`, {
      cause,
    })
  }
}

/** The error for the caller when the RPC library fails. */
function callFailure(method: AnyUnaryMethod, cause: unknown): StarlingError {
  if (cause instanceof Error && 'code' in cause && cause.code === 'UNKNOWN_METHOD') {
    return new StarlingError('UNKNOWN_METHOD', `The other worker does not answer ${method.name}`, {
      cause,
    })
  }
  // CHANNEL_CLOSED, CHANNEL_DESTROYED and "RPC client closed" all say that the connection ended; an
  // error of the peer's own never comes this way, because answers have an envelope of ours.
  return new StarlingError(
    'PEER_LOST',
    `The ${answererOf(method)} was lost before it had answered`,
    {
      cause,
    },
  )
}
