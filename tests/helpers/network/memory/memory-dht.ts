import { EventEmitter } from 'node:events'
import HyperDHT from 'hyperdht'
import type {
  MemoryDial,
  MemoryHost,
  MemoryLink,
  MemoryListener,
  MemoryNetwork,
} from './memory-network.js'
import { linkStreams, MemoryStream } from './memory-stream.js'

/** How long a dial to a worker that does not answer takes. */
const UNANSWERED_MS = 4_000
/** How long a query takes in a DHT that does not answer. */
const SILENT_QUERY_MS = 6_000
/** The same for a ping. */
const SILENT_PING_MS = 1_000

/** A DHT node of one process in a network in memory. All nodes share one store of records. */
export class MemoryDht extends EventEmitter implements HyperDHT {
  readonly io = { networkInterfaces: { destroy: () => undefined } }
  destroyed = false
  readonly #network: MemoryNetwork
  readonly #host: MemoryHost
  readonly #servers = new Set<MemoryServer>()
  /** Ends what is under way when the node is destroyed. */
  readonly #failing = new Set<() => void>()

  constructor(network: MemoryNetwork, host: MemoryHost) {
    super()
    this.#network = network
    this.#host = host
  }

  async ready(): Promise<void> {}

  address(): HyperDHT.Address {
    return this.#host.address
  }

  connect(
    publicKey: Uint8Array,
    options: { keyPair?: HyperDHT.KeyPair; relayAddresses?: readonly HyperDHT.Address[] } = {},
  ): HyperDHT.SecretStream {
    const { keyPair, relayAddresses = [] } = options
    if (keyPair === undefined) throw new Error('A dial in memory needs a key pair')
    const stream = new MemoryStream(true, keyPair.publicKey)
    this.#dial(publicKey, relayAddresses, { from: this.#host, stream, keyPair }).catch(
      (error: Error) => stream.destroy(error),
    )
    return stream
  }

  createServer(options: HyperDHT.ServerOptions): HyperDHT.Server {
    const server = new MemoryServer(this.#network, this.#host, options)
    this.#servers.add(server)
    return server
  }

  lookup(topic: Uint8Array): HyperDHT.Query {
    const replies = this.#ask(() => this.#network.records.lookUp(topic))
    return new MemoryQuery(replies.then((peers) => (peers === undefined ? [] : [{ peers }])))
  }

  announce(
    topic: Uint8Array,
    keyPair: HyperDHT.KeyPair,
    relayAddresses: readonly HyperDHT.Address[],
    { clear = false }: { clear?: boolean } = {},
  ): HyperDHT.Query {
    const { records } = this.#network
    const peer = { publicKey: keyPair.publicKey, relayAddresses: [...relayAddresses] }
    const stored = this.#ask(() => {
      records.announce(topic, peer, clear)
      return []
    })
    return new MemoryQuery(stored.then((replies) => answered(replies)))
  }

  async unannounce(topic: Uint8Array, keyPair: HyperDHT.KeyPair): Promise<void> {
    await this.#ask(() => this.#network.records.unannounce(topic, keyPair.publicKey))
  }

  findPeer(publicKey: Uint8Array): HyperDHT.Query<{ readonly peer: HyperDHT.Peer }> {
    const found = this.#ask(() => this.#network.records.lookUp(HyperDHT.hash(publicKey)))
    return new MemoryQuery(found.then((peers = []) => peers.map((peer) => ({ peer }))))
  }

  onrequest(): boolean {
    return false
  }

  async mutableGet(
    publicKey: Uint8Array,
    { seq = 0 }: { seq?: number } = {},
  ): Promise<HyperDHT.MutableRecord | null> {
    return (await this.#ask(() => this.#network.records.mutable(publicKey, seq))) ?? null
  }

  async mutablePut(
    { publicKey }: { readonly publicKey: Uint8Array },
    value: Uint8Array,
    { seq, signMutable }: { seq: number; signMutable: () => Uint8Array },
  ): Promise<unknown> {
    const record = { seq, value, signature: signMutable() }
    const { records } = this.#network
    return answered(await this.#ask(() => [records.putMutable(publicKey, record)]))
  }

  async immutableGet(hash: Uint8Array): Promise<{ readonly value: Uint8Array } | null> {
    return (await this.#ask(() => this.#network.records.immutable(hash))) ?? null
  }

  async immutablePut(value: Uint8Array): Promise<unknown> {
    return answered(await this.#ask(() => [this.#network.records.putImmutable(value)]))
  }

  async ping(): Promise<unknown> {
    return answered(await this.#ask(() => [], SILENT_PING_MS))
  }

  async destroy(): Promise<void> {
    if (this.destroyed) return
    this.destroyed = true
    for (const fail of this.#failing) fail()
    for (const server of this.#servers) await server.close()
  }

  /** @returns undefined if the DHT did not answer */
  async #ask<T>(work: () => T, timeoutMs = SILENT_QUERY_MS): Promise<T | undefined> {
    const { name } = this.#host
    const isSilent = () => !this.#network.isDhtUp || this.#network.isCut(name)
    await this.#pass(this.#network.delayMs())
    if (isSilent()) {
      await this.#pass(timeoutMs)
      return undefined
    }
    const result = work()
    await this.#pass(this.#network.delayMs())
    return result
  }

  async #dial(
    publicKey: Uint8Array,
    addresses: readonly HyperDHT.Address[],
    dial: MemoryDial & { readonly stream: MemoryStream },
  ): Promise<void> {
    const { stream } = dial
    const listener = () => this.#network.listeners.get(hex(publicKey))
    const isThere = addresses.some((address) => isSame(address, listener()?.host.address))
    if (!isThere) {
      const found = await this.#ask(() => this.#network.records.lookUp(HyperDHT.hash(publicKey)))
      if (!found?.some((peer) => hex(peer.publicKey) === hex(publicKey))) {
        stream.destroy(new Error('PEER_NOT_FOUND'))
        return
      }
    }
    await this.#pass(this.#network.delayMs())
    if (stream.destroying) return
    if (this.#reach(listener())?.accept(dial)) return
    await this.#pass(UNANSWERED_MS)
    stream.destroy(new Error('PEER_CONNECTION_FAILED'))
  }

  /** @returns undefined if packets do not get there */
  #reach(listener: MemoryListener | undefined): MemoryListener | undefined {
    if (listener === undefined || listener.host.isDead) return undefined
    return this.#network.isCut(this.#host.name, listener.host.name) ? undefined : listener
  }

  /**
   * Lets time pass. Never resolves if the process of this node is killed meanwhile.
   *
   * @throws Error as soon as the node is destroyed
   */
  #pass(delayMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = () => {
        timer.cancel()
        reject(new Error('The DHT node was destroyed'))
      }
      const timer = this.#network.time.schedule(this.#host.lane, delayMs, () => {
        this.#failing.delete(fail)
        if (!this.#host.isDead) resolve()
      })
      if (this.destroyed) fail()
      else this.#failing.add(fail)
    })
  }
}

class MemoryServer extends EventEmitter implements HyperDHT.Server, MemoryListener {
  readonly host: MemoryHost
  keyPair: HyperDHT.KeyPair | null = null
  closed = false
  readonly #network: MemoryNetwork
  readonly #options: HyperDHT.ServerOptions

  constructor(network: MemoryNetwork, host: MemoryHost, options: HyperDHT.ServerOptions) {
    super()
    this.host = host
    this.#network = network
    this.#options = options
  }

  get publicKey(): Uint8Array | null {
    return this.keyPair?.publicKey ?? null
  }

  get relayAddresses(): readonly HyperDHT.Address[] {
    return this.keyPair === null ? [] : [this.host.address]
  }

  accept({ from, stream, keyPair }: MemoryDial): MemoryLink | null {
    if (this.closed || this.keyPair === null || !(stream instanceof MemoryStream)) return null
    if (this.#options.firewall?.(keyPair.publicKey, null, from.address)) return null
    const accepted = new MemoryStream(false, this.keyPair.publicKey)
    void accepted.opened.then((isOpen) => {
      if (isOpen) this.emit('connection', accepted)
    })
    return linkStreams(this.#network, { host: from, stream }, { host: this.host, stream: accepted })
  }

  /** Listens, and is found by its key. */
  async listen(keyPair: HyperDHT.KeyPair): Promise<void> {
    this.keyPair = keyPair
    const { listeners, records, isDhtUp } = this.#network
    listeners.set(hex(keyPair.publicKey), this)
    if (!isDhtUp || this.#network.isCut(this.host.name)) return
    const { publicKey } = keyPair
    records.announce(
      HyperDHT.hash(publicKey),
      { publicKey, relayAddresses: this.relayAddresses },
      true,
    )
  }

  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    const { listeners } = this.#network
    const { publicKey } = this
    if (publicKey !== null && listeners.get(hex(publicKey)) === this)
      listeners.delete(hex(publicKey))
  }
}

/** A query that is answered once. */
class MemoryQuery<Reply> implements HyperDHT.Query<Reply> {
  readonly #replies: Promise<readonly Reply[]>
  #stop: () => void = () => undefined

  constructor(replies: Promise<readonly Reply[]>) {
    const stopped = new Promise<readonly Reply[]>((resolve) => {
      this.#stop = () => resolve([])
    })
    this.#replies = Promise.race([replies, stopped])
    this.#replies.catch(() => undefined)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Reply, void> {
    yield* await this.#replies
  }

  async finished(): Promise<void> {
    await this.#replies
  }

  destroy(): void {
    this.#stop()
  }
}

function answered<T>(result: T | undefined): T {
  if (result === undefined) throw new Error('The DHT does not answer')
  return result
}

function isSame(one: HyperDHT.Address, other: HyperDHT.Address | undefined): boolean {
  return one.host === other?.host && one.port === other.port
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
