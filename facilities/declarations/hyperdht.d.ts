/** The part of hyperdht 6.34 that Starling uses; the package ships no types. */
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
