import { z } from 'zod'
import { StarlingError } from '../errors/starling-error.js'
import type { RecordChange } from '../store/record.js'
import type { RecordState } from '../store/record-command.js'
import { MAX_ROSTER_ENTRIES } from './roster-entry.js'
import {
  type ListedWorker,
  listedWorkerSchema,
  type RosterList,
  rosterListOf,
} from './roster-list.js'

/** Workers in one record: about 42 KB. */
const WORKERS_PER_RECORD = 256

const HEAD_KEY = 'roster/head'
const PAGE_KEYS = Array.from(
  { length: Math.ceil(MAX_ROSTER_ENTRIES / WORKERS_PER_RECORD) },
  (_, page) => `roster/workers/${page}`,
)

/** The keys of all records of the roster. */
export const ROSTER_KEYS: readonly string[] = [HEAD_KEY, ...PAGE_KEYS]

const headSchema = z.strictObject({
  /** The highest sequence number that was ever used. */
  sequence: z.number().int().nonnegative(),
  /** When the list was stored, milliseconds since 1970. */
  savedAt: z.number().int(),
})

const pageSchema = z.array(listedWorkerSchema).max(WORKERS_PER_RECORD)

/** The roster as it is stored. */
export interface StoredRoster extends z.infer<typeof headSchema> {
  readonly list: RosterList
}

/**
 * The roster in these records; undefined if none is stored.
 *
 * @throws StarlingError INTERNAL if they have another format
 */
export function parseRoster(state: RecordState): StoredRoster | undefined {
  if (!state.has(HEAD_KEY)) return undefined
  const head = headSchema.safeParse(state.get(HEAD_KEY)).data
  const pages = PAGE_KEYS.map((key) => pageSchema.safeParse(state.get(key) ?? []).data)
  const workers = pages.flatMap((page) => page ?? [])
  if (head !== undefined && !pages.includes(undefined)) {
    return { ...head, list: rosterListOf(workers) }
  }
  throw new StarlingError(
    'INTERNAL',
    'The stored roster has a format that this version does not support',
  )
}

/** The changes that store a roster. Pages that are the same are not written. */
export function rosterChanges(state: RecordState, roster: StoredRoster): RecordChange[] {
  const { sequence, savedAt } = roster
  const changes: RecordChange[] = [{ kind: 'put', key: HEAD_KEY, value: { sequence, savedAt } }]
  const workers = [...roster.list.values()]
  for (const [page, key] of PAGE_KEYS.entries()) {
    const value = workers.slice(page * WORKERS_PER_RECORD, (page + 1) * WORKERS_PER_RECORD)
    if (isSamePage(state.get(key), value)) continue
    if (value.length > 0) changes.push({ kind: 'put', key, value })
    else changes.push({ kind: 'remove', key })
  }
  return changes
}

function isSamePage(stored: unknown, page: readonly ListedWorker[]): boolean {
  return JSON.stringify(stored ?? []) === JSON.stringify(page)
}
