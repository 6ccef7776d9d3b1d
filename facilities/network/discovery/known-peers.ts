import ReadyResource from 'ready-resource'
import {
  type PeerAddress,
  type RememberedPeer,
  usableAddresses,
} from '../../../helpers/discovery/remembered-peers.js'
import { MAX_ROSTER_ENTRIES } from '../../../helpers/discovery/roster-entry.js'
import type { Clock, Timer } from '../../clock/clock.js'
import { repeat } from '../../clock/repeat.js'

/** The most authenticated workers of one role that a process knows: about 300 bytes each. */
export const MAX_PROVED_PER_ROLE = 16_384

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
  readonly role: string
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
 * Emits `changed` when {@link known} may return something else than before: with the entries that were added, or
 * without if any may have changed.
 */
export class KnownPeers extends ReadyResource {
  readonly #clock: Clock
  readonly #store: PeerStore | null
  readonly #proved = new PeersByRole<RememberedPeer>()
  #roster = new PeersByRole<PeerEntry>()
  /** What the store contained when it was last read or written. */
  #stored: readonly RememberedPeer[] = []
  #saved = new PeersByRole<RememberedPeer>()
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
  known(role: string): KnownPeer[] {
    const keys = new Set([...this.#roster.of(role).keys(), ...this.#proved.of(role).keys()])
    return [...keys].flatMap((key) => this.#knownAs(role, key))
  }

  /** The same of one worker: nothing if it is not known. */
  knownAs(role: string, publicKey: Uint8Array): KnownPeer[] {
    return this.#knownAs(role, Buffer.from(publicKey).toString('hex'))
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
    if (source === 'roster') {
      this.#roster = new PeersByRole()
      for (const entry of usable.slice(0, MAX_ROSTER_ENTRIES)) {
        this.#roster.set(Buffer.from(entry.publicKey).toString('hex'), entry)
      }
      this.emit('changed')
      return
    }
    const proved = usable.map((entry) => rememberedFrom(entry, this.#clock.now()))
    this.#adopt(proved)
    this.emit('changed', usable)
    if (this.#timer === null && proved.some((peer) => this.#isWorthSaving(peer))) {
      this.#timer = this.#clock.schedule(SAVE_DELAY_MS, () => void this.#save())
    }
  }

  protected override async _open(): Promise<void> {
    if (this.#store === null) return
    this.#adoptStored(await this.#store.load())
    this.#reloading = repeat(this.#clock, RELOAD_INTERVAL_MS, () => this.#reload())
  }

  protected override async _close(): Promise<void> {
    this.#reloading?.cancel()
    if (this.#timer !== null) await this.#save()
    await this.#saving
  }

  async #reload(): Promise<void> {
    const stored = await this.#store?.load()
    if (stored !== undefined && stored !== this.#stored) this.#adoptStored(stored)
  }

  #adoptStored(stored: readonly RememberedPeer[]): void {
    this.#stored = stored
    this.#saved = new PeersByRole()
    for (const peer of stored) this.#saved.set(peer.publicKey, peer)
    // The store lists the latest first, which is forgotten last.
    if (this.#adopt([...stored].reverse())) this.emit('changed')
  }

  /** Keeps the newer entry of each worker. @returns whether any worker or address is new */
  #adopt(peers: readonly RememberedPeer[]): boolean {
    let hasChanged = false
    for (const peer of peers) {
      const known = this.#proved.get(peer)
      if (known !== undefined && known.provedAt >= peer.provedAt) continue
      hasChanged ||= known === undefined || textOf(known.addresses) !== textOf(peer.addresses)
      const all = this.#proved.of(peer.role)
      // Moved to the end: the first one was authenticated longest ago.
      all.delete(peer.publicKey)
      all.set(peer.publicKey, peer)
      const [oldest] = all.keys()
      if (oldest !== undefined && all.size > MAX_PROVED_PER_ROLE) all.delete(oldest)
    }
    return hasChanged
  }

  #knownAs(role: string, key: string): KnownPeer[] {
    const listed = this.#roster.of(role).get(key)
    const proved = this.#proved.of(role).get(key)
    const known: KnownPeer[] = []
    if (listed !== undefined) {
      known.push({ publicKey: listed.publicKey, addresses: listed.addresses })
    }
    if (
      proved !== undefined &&
      (!listed || textOf(listed.addresses) !== textOf(proved.addresses))
    ) {
      known.push({ publicKey: Buffer.from(key, 'hex'), addresses: proved.addresses })
    }
    return known
  }

  #isWorthSaving(peer: RememberedPeer): boolean {
    if (this.#store === null || this.closing) return false
    const saved = this.#saved.get(peer)
    if (saved === undefined || peer.provedAt - saved.provedAt >= SAVE_AGAIN_MS) return true
    return textOf(saved.addresses) !== textOf(peer.addresses)
  }

  #save(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = null
    this.#saving = this.#saving.then(async () => {
      if (this.#store !== null) this.#adoptStored(await this.#store.merge(this.#proved.all()))
    })
    return this.#saving
  }
}

/** Peers by their role and their key, hexadecimal. */
class PeersByRole<P extends { readonly role: string }> {
  readonly #byRole = new Map<string, Map<string, P>>()

  of(role: string): Map<string, P> {
    const known = this.#byRole.get(role) ?? new Map<string, P>()
    this.#byRole.set(role, known)
    return known
  }

  get({ role, publicKey }: { readonly role: string; readonly publicKey: string }): P | undefined {
    return this.of(role).get(publicKey)
  }

  set(key: string, peer: P): void {
    this.of(peer.role).set(key, peer)
  }

  all(): P[] {
    return [...this.#byRole.values()].flatMap((peers) => [...peers.values()])
  }
}

function rememberedFrom({ role, publicKey, addresses }: PeerEntry, now: number): RememberedPeer {
  const key = Buffer.from(publicKey).toString('hex')
  return { role, publicKey: key, addresses: [...addresses], provedAt: now }
}

function textOf(addresses: readonly PeerAddress[]): string {
  return addresses.map(({ host, port }) => `${host}:${port}`).join(' ')
}
