/** The part of @hyperswarm/rpc 3.5 that Starling uses; the package ships no types. */
declare module '@hyperswarm/rpc' {
  import type { EventEmitter } from 'node:events'
  import type { Encoder } from 'compact-encoding'
  import type Protomux from 'protomux'

  namespace HyperswarmRPC {
    interface Encodings {
      readonly valueEncoding: Encoder<Uint8Array>
    }

    /** One RPC session on one connection. */
    interface Session extends EventEmitter {
      readonly mux: Protomux
      readonly stream: Protomux['stream']
      /**
       * Not documented: the message that carries a request. With `autoBatch`, replies to requests that arrived in
       * one frame are held until all of them are answered. See rpc-adapter.ts.
       */
      readonly _request: { autoBatch: boolean }
    }

    interface Client extends EventEmitter {
      readonly closed: boolean
      readonly mux: Protomux
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
