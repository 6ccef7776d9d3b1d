import type { Timer } from '../../../../facilities/clock/clock.js'
import type { MemoryHost, MemoryNetwork } from './memory-network.js'

/** What one end of a connection sends to the other. */
export type MemoryItem =
  | { readonly kind: 'open' }
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  /** Nothing more will be written. */
  | { readonly kind: 'end' }
  /** The end was destroyed. */
  | { readonly kind: 'close' }

/** Bytes that a sender may be ahead of its reader. */
const WINDOW_BYTES = 256 * 1024

/** One direction of a connection: keeps the order of what is sent, and delays it. */
export class MemoryFlow {
  readonly #network: MemoryNetwork
  readonly #from: MemoryHost
  readonly #to: MemoryHost
  readonly #onArrived: (item: MemoryItem) => void
  readonly #queue: { readonly item: MemoryItem; readonly atMs: number }[] = []
  #timer: Timer | null = null
  #sentAtMs = -1
  #arrivesAtMs = 0
  #unreadBytes = 0
  #onRoom: (() => void) | null = null

  constructor(
    network: MemoryNetwork,
    from: MemoryHost,
    to: MemoryHost,
    onArrived: (item: MemoryItem) => void,
  ) {
    this.#network = network
    this.#from = from
    this.#to = to
    this.#onArrived = onArrived
  }

  send(item: MemoryItem): void {
    if (this.#from.isDead || this.#to.isDead) return
    const { nowMs } = this.#network.time
    // What is sent in one tick travels together.
    if (nowMs !== this.#sentAtMs) {
      this.#arrivesAtMs = Math.max(this.#arrivesAtMs, nowMs + this.#network.delayMs())
      this.#sentAtMs = nowMs
    }
    if (item.kind === 'frame') this.#unreadBytes += item.bytes.byteLength
    this.#queue.push({ item, atMs: this.#arrivesAtMs })
    this.#arm()
  }

  /** Calls `action` once the reader has room again, at once if it has. */
  whenRoom(action: () => void): void {
    if (this.#unreadBytes < WINDOW_BYTES) action()
    else this.#onRoom = action
  }

  /** The reader has taken so many bytes. */
  read(bytes: number): void {
    this.#unreadBytes -= bytes
    const onRoom = this.#onRoom
    if (onRoom === null || this.#unreadBytes >= WINDOW_BYTES) return
    this.#onRoom = null
    this.#network.time.schedule(this.#from.lane, this.#network.delayMs(), () => {
      if (!this.#from.isDead) onRoom()
    })
  }

  /** A partition has healed. What was lost in it is sent again. */
  resume(): void {
    const { nowMs } = this.#network.time
    this.#arrivesAtMs = Math.max(this.#arrivesAtMs, nowMs + this.#network.delayMs())
    this.#arm(this.#arrivesAtMs)
  }

  #arm(atMs = this.#queue[0]?.atMs): void {
    if (this.#timer !== null || atMs === undefined) return
    const { time } = this.#network
    this.#timer = time.schedule(this.#to.lane, Math.max(0, atMs - time.nowMs), () => {
      this.#timer = null
      this.#deliver()
    })
  }

  #deliver(): void {
    if (this.#to.isDead) {
      this.#queue.length = 0
      return
    }
    if (this.#network.isCut(this.#from.name, this.#to.name)) {
      this.#network.hold(this)
      return
    }
    const { nowMs } = this.#network.time
    for (
      let next = this.#queue[0];
      next !== undefined && next.atMs <= nowMs;
      next = this.#queue[0]
    ) {
      this.#queue.shift()
      this.#onArrived(next.item)
    }
    this.#arm()
  }
}
