import { EventEmitter } from 'node:events'
import HyperDHT from 'hyperdht'
import { createSandbox, type SinonStubbedInstance } from 'sinon'
import type { KeyPair } from '../../../helpers/identity/key-pair.js'
import { type PipedStreams, pipeStreams } from './piped-streams.js'

/**
 * A network in memory: DHT stubs whose connections are piped streams. The test sets what the DHT
 * answers to a lookup.
 */
export class PipedNetwork {
  /** Every connection that was ever dialled, in order. */
  readonly connections: PipedStreams[] = []
  // A separate sandbox: the default one keeps every stub that was ever made.
  readonly #sandbox = createSandbox()
  readonly #servers = new Map<string, PipedServer>()
  readonly #peers = new Map<string, HyperDHT.Peer[]>()
  #nodes = 0

  /** A DHT node of this network, with its own port, like a separate process. */
  dht(): SinonStubbedInstance<HyperDHT> {
    this.#nodes += 1
    const fromPort = 40_000 + this.#nodes
    const dht = this.#sandbox.createStubInstance(HyperDHT)
    dht.createServer.callsFake((options) => new PipedServer(this.#servers, options))
    dht.connect.callsFake((publicKey, options) =>
      this.#connect(publicKey, options?.keyPair, fromPort),
    )
    dht.lookup.callsFake((topic) => query([{ peers: this.#peers.get(hex(topic)) ?? [] }]))
    dht.announce.callsFake(() => query([]))
    dht.unannounce.resolves()
    return dht
  }

  /** Sets the peers that a lookup of the topic finds. */
  announce(topic: Uint8Array, ...peers: HyperDHT.Peer[]): void {
    this.#peers.set(hex(topic), peers)
  }

  #connect(
    publicKey: Uint8Array,
    keyPair: KeyPair | undefined,
    fromPort: number,
  ): HyperDHT.SecretStream {
    const server = this.#servers.get(hex(publicKey))
    const responder = server?.keyPair ?? undefined
    const piped = pipeStreams({
      fromPort,
      ...(keyPair && { initiator: keyPair }),
      ...(responder && { responder }),
    })
    this.connections.push(piped)
    if (server === undefined || server.refuses(keyPair, fromPort)) {
      piped.initiator.destroy(new Error('PEER_NOT_FOUND'))
    } else {
      void piped.responder.opened.then((isOpen) => {
        if (isOpen) server.emit('connection', piped.responder)
      })
    }
    return piped.initiator
  }
}

class PipedServer extends EventEmitter implements HyperDHT.Server {
  keyPair: KeyPair | null = null
  relayAddresses: readonly HyperDHT.Address[] = []
  closed = false
  readonly #servers: Map<string, PipedServer>
  readonly #options: HyperDHT.ServerOptions

  constructor(servers: Map<string, PipedServer>, options: HyperDHT.ServerOptions) {
    super()
    this.#servers = servers
    this.#options = options
  }

  get publicKey(): Uint8Array | null {
    return this.keyPair?.publicKey ?? null
  }

  refuses(keyPair: KeyPair | undefined, port: number): boolean {
    const publicKey = keyPair?.publicKey ?? new Uint8Array(32)
    return this.#options.firewall?.(publicKey, null, { host: '127.0.0.1', port }) ?? false
  }

  async listen(keyPair: KeyPair): Promise<void> {
    this.keyPair = keyPair
    this.#servers.set(hex(keyPair.publicKey), this)
  }

  async close(): Promise<void> {
    this.closed = true
    if (this.keyPair) this.#servers.delete(hex(this.keyPair.publicKey))
  }
}

/** A query of the DHT that was answered with these replies. */
export function query(replies: readonly HyperDHT.LookupReply[]): HyperDHT.Query {
  return {
    async *[Symbol.asyncIterator]() {
      yield* replies
    },
    finished: async () => undefined,
    destroy: () => undefined,
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
