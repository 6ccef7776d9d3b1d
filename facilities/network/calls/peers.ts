import type { ErrorCode } from '../../../helpers/errors/error-codes.js'
import type { PeerIdentity } from '../../../helpers/identity/identity.js'
import type { EncodedChunk } from '../../../helpers/protocol/chunk-codec.js'
import type {
  AnyStreamMethod,
  AnyUnaryMethod,
  ChunkOf,
  EndOf,
  HeadOf,
  RequestInput,
  ResponseOf,
  StartOf,
} from '../../../helpers/protocol/method.js'
import type { CallOptions, StreamOptions } from './request-context.js'
import type { StreamAnswer } from './stream-answer.js'

/** A connected worker, which can be called. */
export interface Peer {
  /** Who it is, by its certificate. */
  readonly identity: PeerIdentity
  /** Whether calls can still be made. */
  readonly isOpen: boolean
  /**
   * Calls a unary method.
   *
   * @throws StarlingError what the peer failed with; PEER_LOST; DEADLINE_EXCEEDED; PAYLOAD_TOO_LARGE;
   *   PROTOCOL_VIOLATION; or the reason of the aborted signal
   */
  call<M extends AnyUnaryMethod>(
    method: M,
    body: RequestInput<M>,
    options: CallOptions,
  ): Promise<ResponseOf<M>>
  /** Calls a stream method. Nothing is sent before the answer is read. */
  open<M extends AnyStreamMethod>(
    method: M,
    body: RequestInput<M>,
    options: StreamOptions<M>,
  ): StreamAnswer<ChunkOf<M>, EndOf<M>, HeadOf<M>>
  /**
   * Calls a stream method like {@link open}, for a handler that passes the answer on: the chunks come as the messages
   * that were received, of which only the start is read.
   */
  relay<M extends AnyStreamMethod>(
    method: M,
    body: RequestInput<M>,
    options: StreamOptions<M>,
  ): StreamAnswer<EncodedChunk<StartOf<M>>, EndOf<M>, HeadOf<M>>
}

/**
 * The other workers of one role, found and kept connected. This worker is never among them. Emits `connected` and
 * `lost` with the peer.
 */
export interface Peers {
  readonly role: string
  /** Those that are connected now. */
  readonly connections: readonly Peer[]
  on(event: 'connected' | 'lost', listener: (peer: Peer) => void): unknown
  off(event: 'connected' | 'lost', listener: (peer: Peer) => void): unknown
}

/** A key that is announced as a worker of the role and is not connected. */
export interface UnreachedPeer {
  readonly publicKey: Uint8Array
  /** What the last dial failed with; null when none has failed yet. */
  readonly code: ErrorCode | null
}

/** The workers of one role with the state of the search for them, for messages to a user. */
export interface PeerSearch extends Peers {
  /** The keys that are announced and not connected. They are not authenticated. */
  readonly unreached: readonly UnreachedPeer[]
  /** Resolves when the role has been looked up once, and the workers found have been dialled once. */
  surveyed(): Promise<void>
}
