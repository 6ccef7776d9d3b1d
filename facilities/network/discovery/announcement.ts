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
 * Keeps one worker announced on its topic. The DHT does not refresh records, and the bootstrap node that stores them
 * may be replaced by an empty one. So the announcement is repeated every few seconds, with the present addresses.
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
      // A DHT node keeps a record until it expires, and ignores new addresses of a worker that moved or was
      // restarted, unless the old record is removed first.
      const clear = this.#announced === null || !sameAddresses(addresses, this.#announced)
      this.#running = this.#dht.announce(this.#topic, this.#keyPair, addresses, { clear })
      await this.#running.finished()
      this.#announced = addresses
    } catch (error) {
      // The bootstrap node may be just being replaced: the next round finds the new one.
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
 * The DHT topic that the workers of one role in one mesh announce themselves on: keyed BLAKE2b, so that
 * only members can tell which mesh or role a topic belongs to. Any DHT node can announce keys on a
 * topic: workers that are found on it are authenticated.
 *
 * @param secret the mesh secret, 32 bytes
 * @returns 32 bytes
 */
export function topicOf(secret: Uint8Array, role: Role): Uint8Array {
  const topic = Buffer.alloc(32)
  sodium.crypto_generichash(topic, Buffer.from(`starling/topic/1/${role}`), secret)
  return topic
}
