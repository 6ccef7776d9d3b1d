/**
 * The parts of the Holepunch network packages that Starling uses; the packages ship no types.
 * Written against hyperdht 6.34, protomux 3.12, @hyperswarm/rpc 3.5, compact-encoding 3.5.
 */

declare module 'hyperdht' {
  import type { EventEmitter } from 'node:events'

  namespace HyperDHT {
    interface KeyPair {
      readonly publicKey: Uint8Array
      readonly secretKey: Uint8Array
    }

    interface Address {
      readonly host: string
      readonly port: number
    }

    interface Peer {
      readonly publicKey: Uint8Array
      readonly relayAddresses: readonly Address[]
    }

    interface LookupReply {
      readonly peers: readonly Peer[]
    }

    interface Query<Reply = LookupReply> extends AsyncIterable<Reply> {
      finished(): Promise<void>
      destroy(): void
    }

    /** A record that was found, its signature verified. */
    interface MutableRecord {
      /** May be larger than a safe integer. */
      readonly seq: number
      readonly value: Uint8Array
      readonly signature: Uint8Array
    }

    /** The transport of a SecretStream: a UDX stream, or a duplex in tests. */
    interface RawStream extends EventEmitter {
      readonly bytesReceived?: number
      readonly remoteHost?: string | null
      readonly remotePort?: number
    }

    /** A NoiseSecretStream: an encrypted, authenticated duplex stream. */
    interface SecretStream extends EventEmitter {
      readonly isInitiator: boolean
      /** Resolves to false when the stream was destroyed before it opened. */
      readonly opened: Promise<boolean>
      readonly destroyed: boolean
      readonly destroying: boolean
      /** Set once opened. */
      readonly publicKey: Uint8Array | null
      readonly remotePublicKey: Uint8Array | null
      readonly handshakeHash: Uint8Array | null
      /** The UDP stream below. Absent while connecting; a plain duplex in tests. */
      readonly rawStream: RawStream | null
      userData: unknown
      /** Not documented: `buffered` bytes were written and not taken yet. See connection-meter.ts. */
      readonly _writableState: { readonly buffered: number }
      /** Not documented: 0 while a frame's header is read, 1 while its body is. */
      readonly _state: number
      /** Not documented: the length that the header of that frame announced. */
      readonly _len: number
      /** A buffer for a message that is about to be written. */
      alloc(sizeBytes: number): Uint8Array
      /** Emits no further data until `resume`; the sender is slowed down when the buffers are full. */
      pause(): void
      resume(): void
      end(): void
      destroy(error?: Error): void
    }

    interface ServerOptions {
      /** Returns true to REJECT whoever connects. */
      firewall?: (publicKey: Uint8Array, payload: unknown, address: Address) => boolean
    }

    interface Server extends EventEmitter {
      readonly publicKey: Uint8Array | null
      readonly relayAddresses: readonly Address[]
      readonly closed: boolean
      listen(keyPair: KeyPair): Promise<unknown>
      close(): Promise<void>
    }

    interface Options {
      bootstrap?: readonly Address[]
      host?: string
      firewalled?: boolean
      keyPair?: KeyPair
    }
  }

  class HyperDHT extends EventEmitter {
    constructor(options?: HyperDHT.Options)
    static bootstrapper(port: number, host: string, options: { host: string }): HyperDHT
    readonly destroyed: boolean
    readonly io: { readonly networkInterfaces: { destroy(): void } }
    ready(): Promise<void>
    /** Where this node itself listens. */
    address(): HyperDHT.Address
    connect(
      publicKey: Uint8Array,
      options?: { keyPair?: HyperDHT.KeyPair; relayAddresses?: readonly HyperDHT.Address[] },
    ): HyperDHT.SecretStream
    createServer(options: HyperDHT.ServerOptions): HyperDHT.Server
    lookup(topic: Uint8Array): HyperDHT.Query
    announce(
      topic: Uint8Array,
      keyPair: HyperDHT.KeyPair,
      relayAddresses: readonly HyperDHT.Address[],
      /** `clear` takes the record that is there back first. */
      options?: { clear?: boolean },
    ): HyperDHT.Query
    unannounce(topic: Uint8Array, keyPair: HyperDHT.KeyPair): Promise<void>
    /** Finds the announcement that a server made on the hash of its own key. */
    findPeer(publicKey: Uint8Array): HyperDHT.Query<{ readonly peer: HyperDHT.Peer }>
    /** Not documented: answers a request that another node has sent. */
    onrequest(request: { readonly command: number; reply(value: null): void }): boolean
    /** BLAKE2b, 32 bytes. */
    static hash(bytes: Uint8Array): Uint8Array
    mutableGet(
      publicKey: Uint8Array,
      /** `seq`: the lowest sequence of interest. */
      options?: { seq?: number },
    ): Promise<HyperDHT.MutableRecord | null>
    mutablePut(
      keyPair: { readonly publicKey: Uint8Array },
      value: Uint8Array,
      options: { seq: number; signMutable: () => Uint8Array },
    ): Promise<unknown>
    /** The hash of what is found is verified. */
    immutableGet(hash: Uint8Array): Promise<{ readonly value: Uint8Array } | null>
    immutablePut(value: Uint8Array): Promise<unknown>
    ping(address: HyperDHT.Address, options: { retry: boolean }): Promise<unknown>
    destroy(options?: { force?: boolean }): Promise<void>
  }

  export default HyperDHT
}

declare module 'compact-encoding' {
  export interface Encoding<T> {
    preencode(state: object, value: T): void
    encode(state: object, value: T): void
    decode(state: object): T
  }
  const encodings: {
    /** The rest of the message, as it is. */
    readonly raw: Encoding<Uint8Array>
    readonly uint: Encoding<number>
    /** A length and as many bytes. */
    readonly buffer: Encoding<Uint8Array>
    encode<T>(encoding: Encoding<T>, value: T): Uint8Array
  }
  export default encodings
}

declare module 'protomux' {
  import type { Encoding } from 'compact-encoding'

  namespace Protomux {
    interface Message<T> {
      send(value: T): boolean
    }

    interface Channel {
      readonly opened: boolean
      readonly closed: boolean
      open(handshake?: Uint8Array): void
      close(): void
      addMessage<T>(options: { encoding: Encoding<T>; onmessage: (value: T) => void }): Message<T>
    }

    interface ChannelOptions {
      readonly protocol: string
      readonly id?: Uint8Array | null
      readonly unique?: boolean
      readonly handshake?: Encoding<Uint8Array>
      readonly onopen?: (handshake: Uint8Array) => void
      readonly onclose?: (isRemote: boolean) => void
    }
  }

  class Protomux {
    readonly isProtomux: true
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

declare module '@hyperswarm/rpc' {
  import type { EventEmitter } from 'node:events'
  import type { Encoding } from 'compact-encoding'
  import type Protomux from 'protomux'

  namespace HyperswarmRPC {
    interface Encodings {
      readonly valueEncoding: Encoding<Uint8Array>
    }

    /** One RPC session on one connection. */
    interface Session extends EventEmitter {
      readonly mux: Protomux
      readonly stream: Protomux['stream']
    }

    interface Client extends EventEmitter {
      readonly closed: boolean
      request(method: string, value: Uint8Array, options: Encodings): Promise<Uint8Array>
      destroy(error?: Error): void
    }

    interface Server extends EventEmitter {
      respond(
        method: string,
        options: Encodings,
        handler: (value: Uint8Array, rpc: Session) => Promise<Uint8Array>,
      ): this
      listen(keyPair?: import('hyperdht').default.KeyPair): Promise<void>
      close(): Promise<void>
    }

    /** What @hyperswarm/rpc asks of a DHT. */
    interface Transport {
      connect(publicKey: Uint8Array, options: object): import('hyperdht').default.SecretStream
      createServer(options: object): EventEmitter
    }
  }

  class HyperswarmRPC {
    constructor(options: {
      dht: HyperswarmRPC.Transport
      keyPair: import('hyperdht').default.KeyPair
    })
    connect(publicKey: Uint8Array, options?: object): HyperswarmRPC.Client
    createServer(): HyperswarmRPC.Server
    destroy(): Promise<void>
  }

  export default HyperswarmRPC
}

/** Not documented: how HyperDHT signs records. Used by tests alone. */
declare module 'hyperdht/lib/persistent.js' {
  export default class Persistent {
    static verifyMutable(
      signature: Uint8Array,
      sequence: number,
      value: Uint8Array,
      publicKey: Uint8Array,
    ): boolean
  }
}
