import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import type { Member, PeerQuota } from './peer-quota.js'

/** A connection that takes a place. */
export interface PlacedConnection {
  /** The time since something last arrived on it, in milliseconds. */
  silentMs(): number
  cut(): void
}

interface Place {
  readonly connection: PlacedConnection
  readonly leave: () => void
}

/**
 * The places of authenticated connections. When a key has no place left, a new connection of it replaces its
 * connection that has been silent longest, if one is silent. This lets a restarted worker connect before
 * its old connection times out, and never cuts a connection that is alive.
 */
export class ConnectionPlaces {
  readonly #quota: PeerQuota
  readonly #silentAfterMs: number
  readonly #places = new Map<string, Set<Place>>()

  /** @param options.silentAfterMs how long nothing arrives on a connection that counts as silent */
  constructor(options: { quota: PeerQuota; silentAfterMs: number }) {
    this.#quota = options.quota
    this.#silentAfterMs = options.silentAfterMs
  }

  /**
   * Takes a place for a peer's connection.
   *
   * @returns releases the place; further calls do nothing
   * @throws StarlingError OVERLOADED with `retryAfterMs`
   */
  take(member: Member, connection: PlacedConnection): () => void {
    try {
      return this.#enter(member, connection)
    } catch (error) {
      const silent = isStarlingError(error, 'OVERLOADED') ? this.#silent(member.key) : undefined
      if (silent === undefined) throw error
      silent.leave()
      silent.connection.cut()
      return this.#enter(member, connection)
    }
  }

  #enter(member: Member, connection: PlacedConnection): () => void {
    const giveBack = this.#quota.take(member)
    const places = this.#places.get(member.key) ?? new Set()
    this.#places.set(member.key, places)
    const leave = () => {
      giveBack()
      places.delete(place)
      if (places.size === 0) this.#places.delete(member.key)
    }
    const place = { connection, leave }
    places.add(place)
    return leave
  }

  /** The connection of the key that has been silent longest, if one is silent. */
  #silent(key: string): Place | undefined {
    let longest: Place | undefined
    let mostMs = this.#silentAfterMs
    for (const place of this.#places.get(key) ?? []) {
      const silentMs = place.connection.silentMs()
      if (silentMs > mostMs) {
        longest = place
        mostMs = silentMs
      }
    }
    return longest
  }
}
