import { createHash } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type HyperDHT from 'hyperdht'
import { Duplex } from 'streamx'
import { MemoryFlow, type MemoryItem } from './memory-flow.js'
import type { MemoryHost, MemoryLink, MemoryNetwork } from './memory-network.js'

/** What the encryption adds to each frame. */
const OVERHEAD_BYTES = 20

/** What the network reports of the transport below a {@link MemoryStream}. */
class MemoryRawStream extends EventEmitter {
  bytesReceived = 0
  remoteHost = ''
  remotePort = 0
}

/**
 * One end of a connection in memory, with the interface of a NoiseSecretStream: frames, a hash of the handshake, the
 * keys of both ends. Nothing is encrypted, and a frame is never split.
 */
export class MemoryStream extends Duplex implements HyperDHT.SecretStream {
  readonly isInitiator: boolean
  readonly opened: Promise<boolean>
  readonly rawStream = new MemoryRawStream()
  readonly _state = 0
  readonly _len = 0
  publicKey: Uint8Array | null
  remotePublicKey: Uint8Array | null = null
  handshakeHash: Uint8Array | null = null
  userData: unknown = null
  #resolveOpened: (isOpen: boolean) => void = () => undefined
  #isConnected = false
  #onOpened: ((error: Error | null) => void) | null = null
  #onWritten: ((error: Error | null) => void) | null = null
  #out: MemoryFlow | null = null
  #incoming: MemoryFlow | null = null
  #isFull = false
  readonly #waiting: Uint8Array[] = []
  #hasEnded = false
  #onClosing: () => void = () => undefined

  constructor(isInitiator: boolean, publicKey: Uint8Array) {
    super()
    this.isInitiator = isInitiator
    this.publicKey = publicKey
    this.opened = new Promise((resolve) => {
      this.#resolveOpened = resolve
    })
    // Without a listener an error would end the process.
    this.on('error', () => undefined)
    // Streams open when they are first read.
    this.resume()
    this.pause()
  }

  alloc(sizeBytes: number): Uint8Array {
    return Buffer.allocUnsafe(sizeBytes)
  }

  /** Sets both directions. The stream can be written from now on; it is open once `open` has arrived. */
  attach(link: {
    readonly out: MemoryFlow
    readonly incoming: MemoryFlow
    readonly peer: MemoryHost
    readonly remotePublicKey: Uint8Array
    readonly handshakeHash: Uint8Array
    /** Called once, when this end begins to close by itself. */
    readonly onClosing: () => void
  }): void {
    this.#out = link.out
    this.#incoming = link.incoming
    this.#onClosing = link.onClosing
    this.remotePublicKey = link.remotePublicKey
    this.handshakeHash = link.handshakeHash
    this.rawStream.remoteHost = link.peer.address.host
    this.rawStream.remotePort = link.peer.address.port
  }

  /** Takes what has arrived from the other end. */
  receive(item: MemoryItem): void {
    if (this.destroying) return
    switch (item.kind) {
      case 'open':
        this.#connect()
        break
      case 'frame':
        this.rawStream.bytesReceived += item.bytes.byteLength + OVERHEAD_BYTES
        this.#waiting.push(item.bytes)
        this.#deliver()
        break
      case 'end':
        this.#hasEnded = true
        this.#deliver()
        break
      case 'close':
        this.#onClosing = () => undefined
        this.#out = null
        this.destroy(new Error('The connection was reset by the peer'))
        break
    }
  }

  protected override _open(done: (error: Error | null) => void): void {
    if (this.#isConnected) done(null)
    else this.#onOpened = done
  }

  protected override _write(chunk: Uint8Array, done: (error: Error | null) => void): void {
    if (this.#out === null) {
      done(null)
      return
    }
    this.#out.send({ kind: 'frame', bytes: chunk })
    this.#onWritten = done
    this.#out.whenRoom(() => this.#written(null))
  }

  protected override _final(done: (error: Error | null) => void): void {
    this.#announceClosing()
    this.#out?.send({ kind: 'end' })
    done(null)
  }

  protected override _read(done: (error: Error | null) => void): void {
    this.#isFull = false
    this.#deliver()
    done(null)
  }

  protected override _predestroy(): void {
    this.#announceClosing()
    this.#out?.send({ kind: 'close' })
    this.#out = null
    const onOpened = this.#onOpened
    this.#onOpened = null
    onOpened?.(new Error('The stream was destroyed'))
    this.#written(new Error('The stream was destroyed'))
  }

  protected override _destroy(done: (error: Error | null) => void): void {
    this.#resolveOpened(false)
    done(null)
  }

  #connect(): void {
    this.#isConnected = true
    this.#resolveOpened(true)
    const onOpened = this.#onOpened
    this.#onOpened = null
    onOpened?.(null)
  }

  #written(error: Error | null): void {
    const done = this.#onWritten
    this.#onWritten = null
    done?.(error)
  }

  #announceClosing(): void {
    const onClosing = this.#onClosing
    this.#onClosing = () => undefined
    onClosing()
  }

  #deliver(): void {
    while (!this.#isFull && !this.destroying) {
      const bytes = this.#waiting.shift()
      if (bytes === undefined) break
      this.#incoming?.read(bytes.byteLength)
      this.#isFull = !this.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      this.rawStream.emit('data', bytes)
    }
    if (this.#hasEnded && this.#waiting.length === 0 && !this.destroying) {
      this.#hasEnded = false
      this.push(null)
    }
  }
}

/** Connects two streams, and opens the responder's; the initiator's opens when it hears of it. */
export function linkStreams(
  network: MemoryNetwork,
  initiator: { readonly host: MemoryHost; readonly stream: MemoryStream },
  responder: { readonly host: MemoryHost; readonly stream: MemoryStream },
): MemoryLink {
  const link: MemoryLink = {
    id: network.nextLinkId(),
    initiator: initiator.host,
    responder: responder.host,
    openedAtMs: network.time.nowMs,
    open: new Set([initiator.host, responder.host]),
    cut: () => {
      for (const { stream } of [initiator, responder]) stream.receive({ kind: 'close' })
    },
  }
  const flow = (from: typeof initiator, to: typeof initiator) =>
    new MemoryFlow(network, from.host, to.host, (item) => {
      const what = item.kind === 'frame' ? String(item.bytes.byteLength) : item.kind
      network.events.onArrived?.(link, from.host, what)
      to.stream.receive(item)
    })
  const there = flow(initiator, responder)
  const back = flow(responder, initiator)
  const handshakeHash = createHash('sha256').update(`handshake ${link.id}`).digest()
  for (const [end, other, out, incoming] of [
    [initiator, responder, there, back],
    [responder, initiator, back, there],
  ] as const) {
    const { publicKey } = other.stream
    if (publicKey === null) throw new Error('A stream without a key cannot be linked')
    end.stream.attach({
      out,
      incoming,
      peer: other.host,
      remotePublicKey: publicKey,
      handshakeHash,
      onClosing: () => network.events.onClosed?.(link, end.host),
    })
    end.stream.once('close', () => {
      link.open.delete(end.host)
      if (link.open.size === 0) network.links.delete(link)
    })
  }
  network.links.add(link)
  network.events.onOpened?.(link)
  back.send({ kind: 'open' })
  responder.stream.receive({ kind: 'open' })
  return link
}
