import encodings from 'compact-encoding'
import type Protomux from 'protomux'
import type { ConnectionProtocol } from '../../../facilities/network/connection/protocol-registry.js'

/** The name of {@link echoProtocol}. */
export const ECHO_PROTOCOL = 'test/echo'

/** A protocol that sends every message on its channels back. */
export function echoProtocol(changes: Partial<ConnectionProtocol> = {}): ConnectionProtocol {
  return {
    name: ECHO_PROTOCOL,
    mayOpen: () => true,
    accept: ({ mux }, id) => {
      const channel = mux.createChannel({ protocol: ECHO_PROTOCOL, id })
      const echo = channel?.addMessage<Uint8Array>({
        encoding: encodings.raw,
        onmessage: (bytes) => void echo?.send(bytes),
      })
      channel?.open()
    },
    ...changes,
  }
}

/** A channel that a test opened by hand, and what came back. */
export interface HandChannel {
  readonly state: { isOpen: boolean; isClosed: boolean }
  /** The messages that were received, as text. */
  readonly heard: string[]
  send(text: string): void
}

/** Opens a channel of any protocol, without asking anybody. */
export function openByHand(
  mux: Protomux,
  protocol: string,
  id: Uint8Array | null = null,
): HandChannel {
  const state = { isOpen: false, isClosed: false }
  const heard: string[] = []
  const channel = mux.createChannel({
    protocol,
    id,
    onopen: () => {
      state.isOpen = true
    },
    onclose: () => {
      state.isClosed = true
    },
  })
  if (channel === null) throw new Error('No channel')
  const message = channel.addMessage<Uint8Array>({
    encoding: encodings.raw,
    onmessage: (bytes) => void heard.push(Buffer.from(bytes).toString()),
  })
  channel.open()
  return { state, heard, send: (text) => void message.send(Buffer.from(text)) }
}
