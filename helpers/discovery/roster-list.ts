import { z } from 'zod'
import { isStarlingError, StarlingError } from '../errors/starling-error.js'
import type { Certificate } from '../identity/certificate.js'
import { ROLES } from '../identity/roles.js'
import { listedRoles, MAX_ROSTER_ENTRIES, type RosterEntry } from './roster-entry.js'

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

/** The workers that a roster is made from, by public key. Their number is limited. No function changes a list. */
export type RosterList = ReadonlyMap<string, ListedWorker>

/** A list of these workers. */
export function rosterListOf(workers: readonly ListedWorker[]): RosterList {
  return new Map(workers.map((worker) => [worker.publicKey, worker]))
}

/** The workers of a list as they are published. */
export function entriesOf(list: RosterList): RosterEntry[] {
  return [...list.values()].map(({ publicKey, roles }) => ({
    publicKey: Buffer.from(publicKey, 'hex'),
    roles,
  }))
}

/**
 * The entry of an authenticated worker. Roles that are not listed are left out.
 *
 * @throws StarlingError FORBIDDEN if it has none that is
 */
export function listedWorker(
  { publicKey, roles, expiresAt }: Pick<Certificate, 'publicKey' | 'roles' | 'expiresAt'>,
  timeMs: number,
): ListedWorker {
  const listed = listedRoles(roles)
  if (listed.length === 0) {
    throw new StarlingError('FORBIDDEN', 'Only workers that serve are listed in the roster')
  }
  return { publicKey, roles: listed, expiresAt, renewedAt: timeMs }
}

/**
 * Adds a worker, or renews its entry, at the time of its renewal.
 *
 * @throws StarlingError OVERLOADED if the list is full
 */
export function enlist(list: RosterList, worker: ListedWorker): RosterList {
  const next = new Map(list)
  if (!next.has(worker.publicKey)) makeRoom(next, worker.renewedAt)
  return next.set(worker.publicKey, worker)
}

/** As {@link enlist}, with several workers. Those that do not fit are left out. */
export function enlistAll(list: RosterList, workers: Iterable<ListedWorker>): RosterList {
  let next = list
  for (const worker of workers) {
    try {
      next = enlist(next, worker)
    } catch (error) {
      if (!isStarlingError(error, 'OVERLOADED')) throw error
    }
  }
  return next
}

/**
 * Adds the workers of a roster that was published earlier and is not remembered here, as if they had just
 * been renewed. Those that do not fit are left out.
 */
export function adopt(
  list: RosterList,
  entries: readonly RosterEntry[],
  timeMs: number,
): RosterList {
  const next = new Map(list)
  for (const { publicKey, roles } of entries) {
    const key = Buffer.from(publicKey).toString('hex')
    if (next.has(key) || next.size >= MAX_ROSTER_ENTRIES) continue
    const expiresAt = timeMs + UNRENEWED_MS
    next.set(key, { publicKey: key, roles: [...roles], expiresAt, renewedAt: timeMs })
  }
  return next
}

/** Leaves out the workers that were not renewed or whose certificate has expired. */
export function expire(list: RosterList, timeMs: number): RosterList {
  return new Map(
    [...list].filter(([, { expiresAt, renewedAt }]) => {
      return expiresAt > timeMs && renewedAt + UNRENEWED_MS > timeMs
    }),
  )
}

/** Removes the worker that was renewed longest ago if the list is full. */
function makeRoom(list: Map<string, ListedWorker>, timeMs: number): void {
  if (list.size < MAX_ROSTER_ENTRIES) return
  const [oldest] = [...list.values()].sort((a, b) => a.renewedAt - b.renewedAt)
  if (oldest === undefined || oldest.renewedAt + REPLACEABLE_MS > timeMs) {
    throw new StarlingError('OVERLOADED', `The roster lists ${MAX_ROSTER_ENTRIES} workers`)
  }
  list.delete(oldest.publicKey)
}
