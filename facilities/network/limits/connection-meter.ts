import type HyperDHT from 'hyperdht'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import type { Clock } from '../../clock/clock.js'
import type { ByteAccount } from './byte-budget.js'
import type { PeerBounds } from './peer-bounds.js'
import type { Member } from './peer-quota.js'

/** The state of a secret stream that has read the header of a frame and not yet all of the frame. */
const READING_BODY = 1

/**
 * Measures what one connection makes this worker keep in memory. The secret stream accepts frames of up
 * to 16 MiB and allocates them when their header arrives, so the connection is cut as soon as a header
 * announces a frame longer than the largest message. Before the hello is accepted, it is cut if it has sent
 * more than a hello takes when all that arrived was processed. After that, its unread and unsent bytes count for the peer's key.
 */
export class ConnectionMeter {
  readonly #stream: HyperDHT.SecretStream
  readonly #clock: Clock
  readonly #bounds: PeerBounds
  #receivedBytes = 0
  #isCheckDue = false
  #heardAt: number
  #unread: ByteAccount | null = null
  #unreadChunkBytes = 0
  #unsent: ByteAccount | null = null

  /** To be constructed in the tick in which the connection opened. */
  constructor(stream: HyperDHT.SecretStream, options: { clock: Clock; bounds: PeerBounds }) {
    this.#stream = stream
    this.#clock = options.clock
    this.#bounds = options.bounds
    this.#heardAt = options.clock.monotonic()
    // Added after the secret stream's own listener, so that its state is known after each packet.
    void stream.opened.then((isOpen) => {
      if (isOpen) stream.rawStream?.on('data', (packet: Uint8Array) => this.#onPacket(packet))
    })
    stream.once('close', () => {
      this.#unread?.close()
      this.#unsent?.close()
    })
  }

  /** Counts the connection for this peer from now on, and lifts the limit for unverified peers. */
  authenticate(member: Member): void {
    const cut = () => this.#stream.destroy()
    this.#unread = this.#bounds.unreadBytes.open(member, {
      measure: () => this.#partialFrameBytes + this.#unreadChunkBytes,
      cut,
    })
    this.#unsent = this.#bounds.unsentBytes.open(member, { measure: () => this.#unsentBytes, cut })
  }

  /** The time since something last arrived, in milliseconds. */
  silentMs(): number {
    return this.#clock.monotonic() - this.#heardAt
  }

  /** Records that `bytes` are about to be written. */
  sending(bytes: number): void {
    this.#unsent?.set(this.#unsentBytes + bytes)
  }

  /** Records that `bytes` of chunks were received that are kept until they are read, or were read if negative. */
  keeping(bytes: number): void {
    this.#unreadChunkBytes += bytes
    this.#unread?.set(this.#partialFrameBytes + this.#unreadChunkBytes)
  }

  #onPacket(packet: Uint8Array): void {
    this.#heardAt = this.#clock.monotonic()
    if (this.#unread === null) this.#receivedBytes += packet.byteLength
    if (this.#partialFrameBytes > PROTOCOL_LIMITS.frameBytes) this.#stream.destroy()
    else if (this.#unread === null) this.#checkUnverified()
    else this.#unread.set(this.#partialFrameBytes + this.#unreadChunkBytes)
  }

  #checkUnverified(): void {
    const bytes = Math.max(this.#receivedBytes, this.#partialFrameBytes)
    if (bytes <= PROTOCOL_LIMITS.unverifiedBytes || this.#isCheckDue) return
    this.#isCheckDue = true
    // The last message of the hello and a long request may arrive in the same tick. Packets
    // are counted before the messages in them are processed, so the hello may have ended by then.
    // Called from a microtask, nextTick runs when the whole microtask queue is empty.
    queueMicrotask(() =>
      process.nextTick(() => {
        if (this.#unread === null) this.#stream.destroy()
      }),
    )
  }

  /** The size of the buffer for a frame that has arrived in part. */
  get #partialFrameBytes(): number {
    return this.#stream._state === READING_BODY ? this.#stream._len : 0
  }

  get #unsentBytes(): number {
    return this.#stream._writableState.buffered
  }
}
