import ReadyResource from 'ready-resource'
import {
  mergeRemembered,
  type PeerAddress,
  type RememberedPeer,
  usableAddresses,
} from '../../../helpers/discovery/remembered-peers.js'
import { MAX_ROSTER_ENTRIES } from '../../../helpers/discovery/roster-entry.js'
import type { Role } from '../../../helpers/identity/roles.js'
import type { Clock, Timer } from '../../clock/clock.js'
import { repeat } from '../../clock/repeat.js'

/** Several workers that are found at the same time are saved together. */
const SAVE_DELAY_MS = 1_000

/** A worker that is at the same addresses is saved again after this time. */
const SAVE_AGAIN_MS = 10 * 60 * 1000

/** How soon a process knows the workers that another process of the home has found. */
const RELOAD_INTERVAL_MS = 2_000

/** A worker that was authenticated before or that the roster lists. */
export interface KnownPeer {
  readonly publicKey: Uint8Array
  /** If empty, the DHT is asked for the key. */
  readonly addresses: readonly PeerAddress[]
}

/** The same with the role that it has. */
export interface PeerEntry extends KnownPeer {
  readonly role: Role
}

/** How it is known that a worker belongs to the mesh: it was authenticated, or the roster lists it. */
export type PeerSource = 'proved' | 'roster'

/** Stores the peers of a home that were authenticated. */
export interface PeerStore {
  /**
   * Does not fail: what cannot be read is reported elsewhere.
   *
   * @returns the same array as before if nothing has changed
   */
  load(): Promise<readonly RememberedPeer[]>
  /**
   * Adds peers to those that other processes have saved. Does not fail: what cannot be written is reported
   * elsewhere.
   *
   * @returns the peers of all processes
   */
  merge(peers: readonly RememberedPeer[]): Promise<readonly RememberedPeer[]>
}

/**
 * The workers that are dialled by their keys, whatever the DHT returns: those that were authenticated before, by
 * this process or another one of the home, and those on the roster. They are dialled before all others.
 *
 * Emits `changed` when {@link known} may return something else than before.
 */
export class KnownPeers extends ReadyResource {
  readonly #clock: Clock
  readonly #store: PeerStore | null
  #proved: readonly RememberedPeer[] = []
  #roster: readonly PeerEntry[] = []
  #saved: readonly RememberedPeer[] = []
  #timer: Timer | null = null
  #reloading: Timer | null = null
  #saving: Promise<void> = Promise.resolve()

  /** @param options.store null: nothing is kept */
  constructor(options: { clock: Clock; store: PeerStore | null }) {
    super()
    this.#clock = options.clock
    this.#store = options.store
  }

  /**
   * The known workers of a role. A worker that was last authenticated at other addresses than those on the roster is
   * listed twice.
   */
  known(role: Role): KnownPeer[] {
    const found = new Map<string, KnownPeer>()
    const add = (peer: KnownPeer) => found.set(nameOf(peer), peer)
    for (const { role: listedRole, publicKey, addresses } of this.#roster) {
      if (listedRole === role) add({ publicKey, addresses })
    }
    for (const { publicKey, addresses, role: provedRole } of this.#proved) {
      if (provedRole === role) add({ publicKey: Buffer.from(publicKey, 'hex'), addresses })
    }
    return [...found.values()]
  }

  /**
   * Adds workers.
   *
   * @param source `proved`: these were just authenticated. They are saved, apart from those without a usable
   *   address. `roster`: these are all workers on the present roster. They replace those of an earlier roster and
   *   are not saved here.
   */
  learn(entries: readonly PeerEntry[], source: PeerSource): void {
    const usable = entries
      .map((entry) => ({ ...entry, addresses: usableAddresses(entry.addresses) }))
      .filter(({ addresses }) => source === 'roster' || addresses.length > 0)
    if (source === 'roster') this.#roster = usable.slice(0, MAX_ROSTER_ENTRIES)
    else this.#adopt(usable.map((entry) => rememberedFrom(entry, this.#clock.now())))
    this.emit('changed')
    if (this.#timer === null && this.#proved.some((peer) => this.#isWorthSaving(peer))) {
      this.#timer = this.#clock.schedule(SAVE_DELAY_MS, () => void this.#save())
    }
  }

  protected override async _open(): Promise<void> {
    if (this.#store === null) return
    this.#saved = await this.#store.load()
    this.#adopt(this.#saved)
    this.#reloading = repeat(this.#clock, RELOAD_INTERVAL_MS, () => this.#reload())
  }

  protected override async _close(): Promise<void> {
    this.#reloading?.cancel()
    if (this.#timer !== null) await this.#save()
    await this.#saving
  }

  async #reload(): Promise<void> {
    const stored = await this.#store?.load()
    if (stored === undefined || stored === this.#saved) return
    this.#saved = stored
    this.#adopt(stored)
    this.emit('changed')
  }

  #adopt(peers: readonly RememberedPeer[]): void {
    this.#proved = mergeRemembered(this.#proved, peers)
  }

  #isWorthSaving(peer: RememberedPeer): boolean {
    if (this.#store === null || this.closing) return false
    const saved = this.#saved.find(
      ({ role, publicKey }) => role === peer.role && publicKey === peer.publicKey,
    )
    if (saved === undefined || peer.provedAt - saved.provedAt >= SAVE_AGAIN_MS) return true
    return textOf(saved.addresses) !== textOf(peer.addresses)
  }

  #save(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = null
    this.#saving = this.#saving.then(async () => {
      if (this.#store === null) return
      this.#saved = await this.#store.merge(this.#proved)
      this.#adopt(this.#saved)
      this.emit('changed')
    })
    return this.#saving
  }
}

function rememberedFrom({ role, publicKey, addresses }: PeerEntry, now: number): RememberedPeer {
  const key = Buffer.from(publicKey).toString('hex')
  return { role, publicKey: key, addresses: [...addresses], provedAt: now }
}

/** Identifies a worker at an address. */
function nameOf({ publicKey, addresses }: KnownPeer): string {
  return `${Buffer.from(publicKey).toString('hex')} ${textOf(addresses)}`
}

function textOf(addresses: readonly PeerAddress[]): string {
  return addresses.map(({ host, port }) => `${host}:${port}`).join(' ')
}
