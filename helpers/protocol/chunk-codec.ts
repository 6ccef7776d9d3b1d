import type { z } from 'zod'
import { decodeMessage, encodeMessage } from './json-message.js'
import { PROTOCOL_LIMITS } from './limits.js'

/** What the beginning of a message says about the chunks in it. */
export interface MessageStart {
  /** The number of chunks in the message, at least 1. */
  readonly count: number
}

/**
 * How the chunks of a stream become messages: the values that a handler yields are its chunks, and a message
 * carries one or more of them. Both ends of a method use the same codec.
 */
export interface ChunkCodec<Chunk, Start extends MessageStart = MessageStart> {
  readonly kind: 'json' | 'binary'
  /** Chunks that follow each other closely may be sent together. Left out: each is a message of its own. */
  readonly gathering?: {
    /** The most chunks in one message. */
    readonly mostChunks: number
    /** At least as many bytes as the chunk adds to a message. */
    sizeBytes(chunk: Chunk): number
  }
  /**
   * @param chunks at least one; without `gathering`, exactly one
   * @throws StarlingError PAYLOAD_TOO_LARGE above `streamChunkBytes`
   */
  encode(chunks: readonly Chunk[]): Uint8Array
  /**
   * @returns the chunks of a message, as many as its start says
   * @throws StarlingError INVALID_REQUEST if the message is malformed; PAYLOAD_TOO_LARGE
   */
  decode(message: Uint8Array): Chunk[]
  /** Reads the start of a message only. @throws StarlingError INVALID_REQUEST */
  inspect(message: Uint8Array): Start
}

/** A codec of any chunks. */
export type AnyChunkCodec = ChunkCodec<unknown>

const ONE_CHUNK: MessageStart = { count: 1 }

/** Chunks as JSON, one a message, checked against a schema by their reader. */
export function jsonChunks<Schema extends z.ZodType>(schema: Schema): ChunkCodec<z.output<Schema>> {
  const limitBytes = PROTOCOL_LIMITS.streamChunkBytes
  return {
    kind: 'json',
    encode: ([chunk]) => encodeMessage(chunk, limitBytes, 'a chunk'),
    decode: (message) => [decodeMessage(message, schema, limitBytes, 'a chunk')],
    inspect: () => ONE_CHUNK,
  }
}

/** A message as it was received, which a handler yields to pass it on as it is. */
export class EncodedChunk<Start extends MessageStart = MessageStart> {
  readonly bytes: Uint8Array
  readonly start: Start

  /** @param start what the codec read at the beginning of the bytes */
  constructor(bytes: Uint8Array, start: Start) {
    this.bytes = bytes
    this.start = start
  }
}
