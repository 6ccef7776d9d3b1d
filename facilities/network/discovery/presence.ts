import HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import type { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { KeyPair } from '../../../helpers/identity/key-pair.js'
import type { Clock } from '../../clock/clock.js'
import { Announcement } from './announcement.js'
import { SelfLookup } from './self-lookup.js'

/**
 * Announcements on the topic for each one by the key, which is needed only if strangers crowd the
 * topic.
 */
const ANNOUNCEMENTS_PER_KEY_ANNOUNCEMENT = 3

/**
 * Makes one worker discoverable, on the topic of its role and by its key, and checks that it is.
 *
 * HyperDHT announces a server by its key as well. It does not notice when the node that stored the record was
 * replaced by an empty one, and repeats the announcement only after five minutes.
 */
export class Presence extends ReadyResource {
  readonly #announcements: readonly Announcement[]
  readonly #selfLookup: SelfLookup

  /**
   * @param options.bootstrap the node that is asked, as messages name it: its host and port
   * @param options.onChanged called when the worker is not discoverable any more, and with null when it is
   *   again
   */
  constructor(options: {
    dht: HyperDHT
    topic: Uint8Array
    keyPair: KeyPair
    addresses: () => readonly HyperDHT.Address[]
    bootstrap: string
    clock: Clock
    intervalMs: number
    onChanged: (failure: StarlingError | null) => void
  }) {
    super()
    const { publicKey } = options.keyPair
    this.#announcements = [
      new Announcement(options),
      new Announcement({
        ...options,
        topic: HyperDHT.hash(publicKey),
        intervalMs: options.intervalMs * ANNOUNCEMENTS_PER_KEY_ANNOUNCEMENT,
      }),
    ]
    this.#selfLookup = new SelfLookup({ ...options, publicKey })
  }

  /** Why others cannot find this worker; null if they can, or if that is not known yet. */
  get failure(): StarlingError | null {
    return this.#selfLookup.failure
  }

  protected override async _open(): Promise<void> {
    await Promise.all(this.#announcements.map((announcement) => announcement.ready()))
    await this.#selfLookup.ready()
  }

  protected override async _close(): Promise<void> {
    await this.#selfLookup.close()
    await Promise.all(this.#announcements.map((announcement) => announcement.close()))
  }
}
