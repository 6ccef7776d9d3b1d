import type HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import sodium from 'sodium-native'
import type { KeyPair } from '../../../helpers/identity/key-pair.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { endedWithin } from '../../clock/bounded-wait.js'
import type { Clock, Timer } from '../../clock/clock.js'
import { repeat } from '../../clock/repeat.js'
import { LEAVING_TIMEOUT_MS } from '../connection/mesh-endpoint.js'

/**
 * Keeps one worker announced on its topic. The DHT does not refresh records by itself, and the
 * bootstrap node that holds them may have been replaced by an empty one, so every few seconds the
 * announcement is made again, with the addresses the worker has now.
 */
export class Announcement extends ReadyResource {
  readonly #dht: HyperDHT
  readonly #topic: Uint8Array
  readonly #keyPair: KeyPair
  readonly #addresses: () => readonly HyperDHT.Address[]
  readonly #clock: Clock
  readonly #intervalMs: number
  #timer: Timer | null = null
  #running: HyperDHT.Query | null = null
  #announced: readonly HyperDHT.Address[] | null = null

  constructor(options: {
    dht: HyperDHT
    topic: Uint8Array
    keyPair: KeyPair
    addresses: () => readonly HyperDHT.Address[]
    clock: Clock
    intervalMs: number
  }) {
    super()
    this.#dht = options.dht
    this.#topic = options.topic
    this.#keyPair = options.keyPair
    this.#addresses = options.addresses
    this.#clock = options.clock
    this.#intervalMs = options.intervalMs
  }

  protected override async _open(): Promise<void> {
    await this.#announce()
    this.#timer = repeat(this.#clock, this.#intervalMs, () => this.#announce())
  }

  protected override async _close(): Promise<void> {
    this.#timer?.cancel()
    this.#running?.destroy()
    if (this.#dht.destroyed) return
    const unannounced = this.#dht.unannounce(this.#topic, this.#keyPair)
    await endedWithin(LEAVING_TIMEOUT_MS, unannounced, this.#clock)
  }

  async #announce(): Promise<void> {
    try {
      const addresses = this.#addresses()
      // A DHT node keeps the record that it has for as long as that lives, and ignores the addresses of
      // a worker that has moved or was restarted, unless the old record is taken back first.
      const clear = this.#announced === null || !sameAddresses(addresses, this.#announced)
      this.#running = this.#dht.announce(this.#topic, this.#keyPair, addresses, { clear })
      await this.#running.finished()
      this.#announced = addresses
    } catch (error) {
      // The bootstrap node is away for a moment: the next round finds it, or its successor.
      safetyCatch(error)
    }
  }
}

/** Whether two lists name the same addresses in the same order. */
function sameAddresses(
  one: readonly HyperDHT.Address[],
  other: readonly HyperDHT.Address[],
): boolean {
  return (
    one.length === other.length &&
    one.every(({ host, port }, i) => host === other[i]?.host && port === other[i]?.port)
  )
}

/**
 * The DHT topic that the workers of one role in one mesh announce themselves on: keyed BLAKE2b, so
 * that nobody without the mesh secret can tell which mesh or role a topic belongs to. A topic is a
 * hint only: whoever is found on it must still prove itself.
 *
 * @param secret the mesh secret, 32 bytes
 * @returns 32 bytes
 */
export function topicOf(secret: Uint8Array, role: Role): Uint8Array {
  const topic = Buffer.alloc(32)
  sodium.crypto_generichash(topic, Buffer.from(`starling/topic/1/${role}`), secret)
  return topic
}
