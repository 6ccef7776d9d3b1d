import { StarlingError } from '../../../helpers/errors/starling-error.js'

/** An authenticated peer, as the limits see it. */
export interface Member {
  /** Its public key, hexadecimal. Usage is counted per key, across all connections of the key. */
  readonly key: string
  /** The name in its certificate, for messages. */
  readonly name: string
  /** Whether its certificate names a role other than client. */
  readonly isWorker: boolean
}

/** The limits of one resource. */
export interface Quota {
  /** All peers together. */
  readonly most: number
  /** All clients together. The rest is reserved for workers. */
  readonly mostOfClients: number
  /** One key of a client. */
  readonly mostPerClient: number
  /** One key of a worker: more, because a gateway acts for many clients. */
  readonly mostPerWorker: number
}

/** The limit of one key. */
export function mostOf({ isWorker }: Member, quota: Quota): number {
  return isWorker ? quota.mostPerWorker : quota.mostPerClient
}

/** Counts how much of one resource each peer uses, and refuses what exceeds the quota. */
export class PeerQuota {
  readonly #what: string
  readonly #quota: Quota
  readonly #retryAfterMs: number | undefined
  readonly #usedByKey = new Map<string, number>()
  #used = 0
  #usedByClients = 0

  /**
   * @param what the resource, for error messages: `open streams`
   * @param retryAfterMs sent to a refused peer; left out if it depends on the peer itself
   */
  constructor(what: string, quota: Quota, retryAfterMs?: number) {
    this.#what = what
    this.#quota = quota
    this.#retryAfterMs = retryAfterMs
  }

  /**
   * Takes an amount for a peer. A refused amount is not counted.
   *
   * @returns releases the amount; further calls do nothing
   * @throws StarlingError OVERLOADED
   */
  take(member: Member, amount = 1): () => void {
    const { key, isWorker } = member
    this.#assertFree(member, amount)
    this.#add(key, isWorker, amount)
    let isHeld = true
    return () => {
      if (isHeld) this.#add(key, isWorker, -amount)
      isHeld = false
    }
  }

  #assertFree(member: Member, amount: number): void {
    const used = this.#usedByKey.get(member.key) ?? 0
    const most = mostOf(member, this.#quota)
    if (used + amount > most) {
      throw this.#overloaded(`${member.name} has ${used} ${this.#what}; one key may have ${most}`)
    }
    const { mostOfClients } = this.#quota
    if (!member.isWorker && this.#usedByClients + amount > mostOfClients) {
      throw this.#overloaded(
        `Clients have ${this.#usedByClients} ${this.#what} of ${mostOfClients}`,
      )
    }
    if (this.#used + amount > this.#quota.most) {
      throw this.#overloaded(`Peers have ${this.#used} ${this.#what} of ${this.#quota.most}`)
    }
  }

  #add(key: string, isWorker: boolean, amount: number): void {
    this.#used += amount
    if (!isWorker) this.#usedByClients += amount
    const used = (this.#usedByKey.get(key) ?? 0) + amount
    if (used === 0) this.#usedByKey.delete(key)
    else this.#usedByKey.set(key, used)
  }

  #overloaded(message: string): StarlingError {
    const retryAfterMs = this.#retryAfterMs
    return new StarlingError(
      'OVERLOADED',
      message,
      retryAfterMs === undefined ? {} : { retryAfterMs },
    )
  }
}
