/** The part of protomux 3.12 that Starling uses; the package ships no types. */
declare module 'protomux' {
  import type { Encoder } from 'compact-encoding'

  namespace Protomux {
    interface Message<T> {
      send(value: T): boolean
    }

    interface Channel {
      readonly opened: boolean
      readonly closed: boolean
      open(handshake?: Uint8Array): void
      close(): void
      addMessage<T>(options: { encoding: Encoder<T>; onmessage: (value: T) => void }): Message<T>
    }

    /** Not documented: the channels of one protocol and id. */
    interface ChannelInfo {
      readonly protocol: string
      /** The numbers of the channels that the peer opened and nobody has claimed. */
      readonly incoming: readonly number[]
    }

    interface ChannelOptions {
      readonly protocol: string
      readonly id?: Uint8Array | null
      readonly unique?: boolean
      readonly handshake?: Encoder<Uint8Array>
      readonly onopen?: (handshake: Uint8Array) => void
      readonly onclose?: (isRemote: boolean) => void
    }
  }

  class Protomux {
    readonly stream: import('hyperdht').default.SecretStream
    constructor(
      stream: import('hyperdht').default.SecretStream,
      options?: { alloc?: (sizeBytes: number) => Uint8Array },
    )
    static from(stream: import('hyperdht').default.SecretStream): Protomux
    /** Null when the stream is destroyed already. */
    createChannel(options: Protomux.ChannelOptions): Protomux.Channel | null
    /** `notify` is awaited before an unclaimed channel of this protocol is rejected. */
    pair(
      options: { protocol: string; id?: Uint8Array | null },
      notify: (id: Uint8Array | null) => void | Promise<void>,
    ): void
    cork(): void
    uncork(): void
    /** Not documented: reads a batch of messages that arrived. See guarded-mux.ts. */
    protected _onbatch(state: object): void
    /** Not documented: reads the opening of a channel that arrived. */
    protected _onopensession(state: object): Promise<void> | null
    /** Not documented: the entry of a protocol and id, which is created if it is missing. */
    protected _get(
      protocol: string,
      id: Uint8Array | null,
      aliases?: readonly string[],
    ): Protomux.ChannelInfo
    /** Not documented: removes an entry without channels. */
    protected _gc(info: Protomux.ChannelInfo): void
    /** Not documented: asks for a claim to a channel that arrived, and rejects it if there is none. */
    protected _requestSession(
      protocol: string,
      id: Uint8Array | null,
      info: Protomux.ChannelInfo,
    ): Promise<void>
    /** Not documented: rejects a channel that arrived. */
    protected _rejectSession(info: Protomux.ChannelInfo | 0, remoteId?: number): void
    /** Not documented: ends the connection; an error that is a bug ends the process. */
    protected _safeDestroy(error: unknown): void
    /** Not documented: an entry for each channel number that the peer has used. */
    protected readonly _remote: readonly object[]
    /** Not documented: gathers a message while the multiplexer is corked. */
    protected _pushBatch(localId: number, message: Uint8Array): void
    /** Not documented: writes what was gathered. */
    protected _sendBatch(batch: readonly object[], state: object): void
    protected _batch: object[]
    protected _batchState: { buffer: null; start: number; end: number }
  }

  export default Protomux
}
