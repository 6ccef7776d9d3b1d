import type HyperDHT from 'hyperdht'
import { MAX_ROSTER_PAGES, openPage } from '../../../helpers/discovery/roster-pages.js'
import {
  openHead,
  type RosterKeys,
  type SignedRoster,
} from '../../../helpers/discovery/signed-roster.js'
import type { Clock } from '../../clock/clock.js'
import { Deadline } from '../../clock/deadline.js'

/** Reading or storing a whole roster. A query at a DHT that does not answer takes 6 s. */
const ROSTER_DHT_TIMEOUT_MS = 15_000

/** A roster as it was found in the DHT. */
export interface FoundRoster {
  readonly roster: SignedRoster
  /** False if the DHT has lost a page: the following ones are unknown. */
  readonly isWhole: boolean
}

/**
 * The roster in the DHT: its first page is a mutable record of the roster key, the others are immutable
 * records. Storing it needs no secret key, because the signature is part of it.
 */
export class RosterDht {
  readonly #dht: HyperDHT
  readonly #keys: RosterKeys
  readonly #clock: Clock

  constructor(options: { dht: HyperDHT; keys: RosterKeys; clock: Clock }) {
    this.#dht = options.dht
    this.#keys = options.keys
    this.#clock = options.clock
  }

  /**
   * Looks for a roster with a higher sequence.
   *
   * @throws StarlingError DEADLINE_EXCEEDED; PROTOCOL_VIOLATION if it cannot be opened; the error of the
   *   DHT
   */
  async find(newerThan: number): Promise<FoundRoster | null> {
    return await this.#within(async () => {
      const options = { seq: newerThan + 1 }
      const record = await this.#dht.mutableGet(this.#keys.publicKey, options)
      if (record === null || !Number.isSafeInteger(record.seq) || record.seq <= newerThan)
        return null
      const { seq: sequence, signature, value } = record
      const pages = [value]
      let { next } = openHead({ sequence, signature, pages }, this.#keys)
      while (next !== null && pages.length < MAX_ROSTER_PAGES) {
        const found = await this.#dht.immutableGet(next)
        const page = found !== null && openPage(found.value, null, this.#keys)
        if (!page) break
        pages.push(found.value)
        next = page.next
      }
      return { roster: { sequence, signature, pages }, isWhole: next === null }
    })
  }

  /** Stores a roster. A node that has a newer one keeps that. @throws as {@link find} */
  async put({ sequence, signature, pages }: SignedRoster): Promise<void> {
    await this.#within(async () => {
      const [head, ...others] = pages
      if (head === undefined) return
      // The first page is stored last, so that all others can be found once it is.
      for (const page of others) await this.#dht.immutablePut(page)
      const options = { seq: sequence, signMutable: () => signature }
      await this.#dht.mutablePut({ publicKey: this.#keys.publicKey }, head, options)
    })
  }

  async #within<T>(work: () => Promise<T>): Promise<T> {
    const deadline = new Deadline(this.#clock, ROSTER_DHT_TIMEOUT_MS)
    try {
      return await deadline.race(work())
    } finally {
      deadline.dispose()
    }
  }
}
