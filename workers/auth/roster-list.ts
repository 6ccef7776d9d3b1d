import { z } from 'zod'
import {
  isListable,
  MAX_ROSTER_ENTRIES,
  type RosterEntry,
} from '../../helpers/discovery/roster-entry.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { ROLES } from '../../helpers/identity/roles.js'

/** A worker is removed if it was not renewed for this time. Workers renew their entry every ten minutes. */
export const UNRENEWED_MS = 7 * 24 * 60 * 60 * 1000

/** If the list is full, a worker that was not renewed for this time can be replaced. */
const REPLACEABLE_MS = 60 * 60 * 1000

/** A worker and how long it stays on the list. */
export const listedWorkerSchema = z.strictObject({
  /** Hexadecimal. */
  publicKey: z.string().regex(/^[0-9a-f]{64}$/),
  roles: z.array(z.enum(ROLES)).min(1).max(ROLES.length),
  /** When its certificate expires, milliseconds since 1970. */
  expiresAt: z.number().int(),
  /** When it was last enlisted, milliseconds since 1970. */
  renewedAt: z.number().int(),
})

export type ListedWorker = z.infer<typeof listedWorkerSchema>

/** The workers that a roster is made from. Each key has one entry, and their number is limited. */
export class RosterList {
  readonly #workers: Map<string, ListedWorker>

  constructor(workers: readonly ListedWorker[] = []) {
    this.#workers = new Map(workers.map((worker) => [worker.publicKey, worker]))
  }

  get workers(): ListedWorker[] {
    return [...this.#workers.values()]
  }

  /** As they are published. */
  get entries(): RosterEntry[] {
    return this.workers.map(({ publicKey, roles }) => ({
      publicKey: Buffer.from(publicKey, 'hex'),
      roles,
    }))
  }

  /**
   * Adds an authenticated worker, or renews its entry.
   *
   * @param worker as its certificate describes it
   * @returns whether this changes the published list
   * @throws StarlingError OVERLOADED if the list is full; FORBIDDEN if it has no role that is listed
   */
  enlist(worker: Omit<ListedWorker, 'renewedAt'>, nowMs: number): boolean {
    if (!isListable(worker.roles)) {
      throw new StarlingError('FORBIDDEN', 'Only workers that serve are listed in the roster')
    }
    const known = this.#workers.get(worker.publicKey)
    if (known === undefined) this.#makeRoom(nowMs)
    this.#workers.set(worker.publicKey, { ...worker, renewedAt: nowMs })
    return known === undefined || known.roles.join() !== worker.roles.join()
  }

  /**
   * Adds the workers of a roster that was published earlier and is not remembered here, as if they had just
   * been renewed. Those that do not fit are left out.
   */
  adopt(entries: readonly RosterEntry[], nowMs: number): void {
    for (const { publicKey, roles } of entries) {
      const key = Buffer.from(publicKey).toString('hex')
      if (this.#workers.has(key) || this.#workers.size >= MAX_ROSTER_ENTRIES) continue
      const expiresAt = nowMs + UNRENEWED_MS
      this.#workers.set(key, { publicKey: key, roles: [...roles], expiresAt, renewedAt: nowMs })
    }
  }

  /** Removes workers that were not renewed or whose certificate has expired. @returns whether there were any */
  expire(nowMs: number): boolean {
    const before = this.#workers.size
    for (const [key, { expiresAt, renewedAt }] of this.#workers) {
      if (expiresAt <= nowMs || renewedAt + UNRENEWED_MS <= nowMs) this.#workers.delete(key)
    }
    return this.#workers.size !== before
  }

  #makeRoom(nowMs: number): void {
    if (this.#workers.size < MAX_ROSTER_ENTRIES) return
    const [oldest] = this.workers.sort((a, b) => a.renewedAt - b.renewedAt)
    if (oldest === undefined || oldest.renewedAt + REPLACEABLE_MS > nowMs) {
      throw new StarlingError('OVERLOADED', `The roster lists ${MAX_ROSTER_ENTRIES} workers`)
    }
    this.#workers.delete(oldest.publicKey)
  }
}
