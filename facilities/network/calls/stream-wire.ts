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
}

/** The messages on the channel of a stream. Their order is part of the wire format. */
export interface StreamMessages {
  readonly chunk: Protomux.Message<Uint8Array>
  readonly end: Protomux.Message<Uint8Array>
  readonly error: Protomux.Message<Uint8Array>
  readonly credit: Protomux.Message<number>
}

/** Adds the messages of a stream to its channel. Chunks are sent one way, credit the other. */
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
  }
}
