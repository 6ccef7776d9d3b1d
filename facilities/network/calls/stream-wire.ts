import encodings from 'compact-encoding'
import type Protomux from 'protomux'

/** The protomux protocol of the channels that streams travel on, one channel a stream. */
export const STREAM_PROTOCOL = 'starling/stream'

/** What arrives on a stream's channel. */
export interface StreamHandlers {
  onChunk(bytes: Uint8Array): void
  onEnd(bytes: Uint8Array): void
  onError(bytes: Uint8Array): void
  onCredit(chunks: number): void
}

/** The messages of a stream's channel. Their order is the wire format. */
export interface StreamMessages {
  readonly chunk: Protomux.Message<Uint8Array>
  readonly end: Protomux.Message<Uint8Array>
  readonly error: Protomux.Message<Uint8Array>
  readonly credit: Protomux.Message<number>
}

/** Adds a stream's messages to its channel. Chunks flow one way, credit the other. */
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
