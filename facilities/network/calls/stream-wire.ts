import encodings from 'compact-encoding'
import type Protomux from 'protomux'

/** The protomux protocol of streams. Each stream has its own channel. */
export const STREAM_PROTOCOL = 'starling/stream'

/** Handlers of the messages on the channel of a stream. */
export interface StreamHandlers {
  onChunk(bytes: Uint8Array): void
  onEnd(bytes: Uint8Array): void
  onError(bytes: Uint8Array): void
  onCredit(chunks: number): void
  onHead(bytes: Uint8Array): void
}

/** The messages on the channel of a stream. Their order is part of the wire format. */
export interface StreamMessages {
  /** One or more chunks. */
  readonly chunk: Protomux.Message<Uint8Array>
  /** The end of the answer; from the caller, without content, the end of what it sends. */
  readonly end: Protomux.Message<Uint8Array>
  readonly error: Protomux.Message<Uint8Array>
  /** Grants credit for chunks. */
  readonly credit: Protomux.Message<number>
  readonly head: Protomux.Message<Uint8Array>
}

/** Adds the messages of a stream to its channel. Credit is sent in the opposite direction of chunks. */
export function addStreamMessages(
  channel: Protomux.Channel,
  handlers: StreamHandlers,
): StreamMessages {
  const { raw, uint } = encodings
  return {
    chunk: channel.addMessage({ encoding: raw, onmessage: (bytes) => handlers.onChunk(bytes) }),
    end: channel.addMessage({ encoding: raw, onmessage: (bytes) => handlers.onEnd(bytes) }),
    error: channel.addMessage({ encoding: raw, onmessage: (bytes) => handlers.onError(bytes) }),
    credit: channel.addMessage({ encoding: uint, onmessage: (n) => handlers.onCredit(n) }),
    head: channel.addMessage({ encoding: raw, onmessage: (bytes) => handlers.onHead(bytes) }),
  }
}
