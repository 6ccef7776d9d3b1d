import { EventEmitter } from 'node:events'
import HyperswarmRPC from '@hyperswarm/rpc'
import encodings from 'compact-encoding'
import type HyperDHT from 'hyperdht'
import type { KeyPair } from '../../../helpers/identity/key-pair.js'
import { corkAfterFirst } from './cork-for-this-tick.js'

const RAW = { valueEncoding: encodings.raw }

/** The protomux protocol that @hyperswarm/rpc opens. */
export const RPC_PROTOCOL = 'protomux-rpc'

/**
 * Runs @hyperswarm/rpc on connections that have finished their hello. The library dials and listens by itself
 * and opens its channel at once, before the peers are authenticated. So it gets, instead of a DHT, a transport
 * that gives it authenticated streams. Its own connection pool is not used: it destroys calls that take longer
 * than its linger time.
 */
export class RpcAdapter {
  readonly #rpc: HyperswarmRPC
  readonly #server: HyperswarmRPC.Server
  readonly #listener: AuthenticatedStreams

  constructor(keyPair: KeyPair) {
    const listener = new AuthenticatedStreams(keyPair.publicKey)
    this.#listener = listener
    this.#rpc = new HyperswarmRPC({
      keyPair,
      dht: {
        connect: (_publicKey, options) => (options as { stream: HyperDHT.SecretStream }).stream,
        createServer: () => listener,
      },
    })
    this.#server = this.#rpc.createServer()
    // Requests that arrive in one frame are answered one by one, not when the last of them is done.
    this.#server.on('connection', ({ _request }: HyperswarmRPC.Session) => {
      _request.autoBatch = false
    })
  }

  /** Answers `method` on every connection that is accepted. */
  respond(
    method: string,
    handler: (value: Uint8Array, stream: HyperDHT.SecretStream) => Promise<Uint8Array>,
  ): void {
    this.#server.respond(method, RAW, async (value: Uint8Array, rpc: HyperswarmRPC.Session) => {
      const response = await handler(value, rpc.stream)
      // The library writes the response within this tick.
      corkAfterFirst(rpc.mux)
      return response
    })
  }

  /** Lets the peer of an authenticated connection call the methods that are answered here. */
  accept(stream: HyperDHT.SecretStream): void {
    this.#listener.emit('connection', stream)
  }

  /** Returns a client for the worker with that key, over an authenticated connection to it. */
  connect(publicKey: Uint8Array, stream: HyperDHT.SecretStream): HyperswarmRPC.Client {
    return this.#rpc.connect(publicKey, { stream })
  }

  /** One request over a client from {@link connect}. Rejects with the library's own errors. */
  request(client: HyperswarmRPC.Client, method: string, value: Uint8Array): Promise<Uint8Array> {
    if (!client.closed) corkAfterFirst(client.mux)
    return client.request(method, value, RAW)
  }

  async close(): Promise<void> {
    await this.#rpc.destroy()
  }
}

/** Has the interface of a HyperDHT server that listens. */
class AuthenticatedStreams extends EventEmitter {
  readonly publicKey: Uint8Array
  closed = false

  constructor(publicKey: Uint8Array) {
    super()
    this.publicKey = publicKey
  }

  async listen(): Promise<void> {
    this.emit('listening')
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.emit('close')
  }

  address(): null {
    return null
  }
}
