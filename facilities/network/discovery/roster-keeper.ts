import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import type { RosterEntry } from '../../../helpers/discovery/roster-entry.js'
import { openPage } from '../../../helpers/discovery/roster-pages.js'
import {
  openRoster,
  type RosterKeys,
  type SignedRoster,
} from '../../../helpers/discovery/signed-roster.js'
import type { RosterDht } from './roster-dht.js'

/** Keeps the newest roster of a home. */
export interface RosterStore {
  /** Does not fail: what cannot be read is reported elsewhere. */
  load(): Promise<SignedRoster | null>
  /**
   * Replaces the roster of the home, unless that has a higher sequence. Does not fail: what cannot be written
   * is reported elsewhere.
   *
   * @returns the roster that the home has now
   */
  save(roster: SignedRoster): Promise<SignedRoster>
}

/** The events of a roster. */
export interface RosterEvents {
  /** A newer roster was accepted. */
  onRoster(entries: readonly RosterEntry[], sequence: number): void
  /** Only the first pages of a newer roster were found. */
  onPartOfRoster(entries: readonly RosterEntry[]): void
  /** A roster was not accepted, or could not be stored. */
  onRosterFailure(error: unknown): void
}

/**
 * The newest roster that this process has seen. Every roster is verified, whatever its source, and a
 * roster with a lower sequence never replaces one with a higher: a peer or a DHT node that hands over
 * an old or a forged one changes nothing.
 */
export class RosterKeeper extends ReadyResource {
  readonly #keys: RosterKeys
  readonly #dht: RosterDht
  readonly #store: RosterStore | null
  readonly #events: RosterEvents
  #newest: SignedRoster | null = null
  #entries: readonly RosterEntry[] = []
  #saving: Promise<void> = Promise.resolve()

  /** @param options.store null: nothing is kept */
  constructor(options: {
    keys: RosterKeys
    dht: RosterDht
    store: RosterStore | null
    events: RosterEvents
  }) {
    super()
    this.#keys = options.keys
    this.#dht = options.dht
    this.#store = options.store
    this.#events = options.events
  }

  /** The newest roster; null while none is known. */
  get newest(): SignedRoster | null {
    return this.#newest
  }

  /** The sequence of the newest roster; 0 while none is known. */
  get sequence(): number {
    return this.#newest?.sequence ?? 0
  }

  /** The workers of the newest roster. */
  get entries(): readonly RosterEntry[] {
    return this.#entries
  }

  /** Whether the newest roster lists a key. */
  lists(publicKey: Uint8Array): boolean {
    return this.#entries.some((entry) => Buffer.compare(entry.publicKey, publicKey) === 0)
  }

  /**
   * Accepts a roster if it is newer than the present one.
   *
   * @returns whether it was accepted
   * @throws StarlingError PROTOCOL_VIOLATION if it is newer and its signature or content is invalid
   */
  offer(roster: SignedRoster): boolean {
    if (!this.#adopt(roster)) return false
    if (this.#store !== null) this.#saving = this.#saving.then(() => this.#save())
    return true
  }

  /** Looks for a newer roster in the DHT. @returns whether there was one @throws as the DHT */
  async lookUp(): Promise<boolean> {
    const found = await this.#dht.find(this.sequence)
    if (found === null || found.roster.sequence <= this.sequence) return false
    if (found.isWhole) return this.offer(found.roster)
    const entries = found.roster.pages.flatMap((page, i) => {
      const sequence = i === 0 ? found.roster.sequence : null
      return openPage(page, sequence, this.#keys)?.entries ?? []
    })
    this.#events.onPartOfRoster(entries)
    return false
  }

  /** Stores the newest roster in the DHT, which forgets it otherwise. @throws as the DHT */
  async putAgain(): Promise<void> {
    if (this.#newest !== null) await this.#dht.put(this.#newest)
  }

  /** Whether the DHT returns the whole roster with that sequence, or a newer one. Does not fail. */
  async isInDht(sequence: number): Promise<boolean> {
    try {
      return (await this.#dht.find(sequence - 1))?.isWhole ?? false
    } catch (error) {
      safetyCatch(error)
      return false
    }
  }

  protected override async _open(): Promise<void> {
    const stored = await this.#store?.load()
    if (!stored) return
    try {
      this.#adopt(stored)
    } catch (error) {
      // A file of another mesh, or a damaged one: the next roster replaces it.
      this.#events.onRosterFailure(error)
    }
  }

  protected override async _close(): Promise<void> {
    await this.#saving
  }

  #adopt(roster: SignedRoster): boolean {
    if (roster.sequence <= this.sequence) return false
    this.#entries = openRoster(roster, this.#keys)
    this.#newest = roster
    this.#events.onRoster(this.#entries, roster.sequence)
    return true
  }

  async #save(): Promise<void> {
    if (this.#store === null || this.#newest === null) return
    const kept = await this.#store.save(this.#newest)
    try {
      this.#adopt(kept)
    } catch (error) {
      this.#events.onRosterFailure(error)
    }
  }
}
