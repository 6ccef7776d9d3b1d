import { z } from 'zod'
import type { RecordCommand } from '../store/record-command.js'
import { encodeEntry, MAX_ROSTER_ENTRIES, type RosterEntry } from './roster-entry.js'
import {
  adopt,
  enlistAll,
  entriesOf,
  expire,
  type ListedWorker,
  listedWorkerSchema,
  type RosterList,
  rosterListOf,
} from './roster-list.js'
import { parseRoster, ROSTER_KEYS, rosterChanges, type StoredRoster } from './roster-records.js'

/** Between two writes of a list of which only the times have changed. */
const SAVE_INTERVAL_MS = 60 * 60 * 1000

const NOTHING: StoredRoster = {
  sequence: 0,
  savedAt: Number.NEGATIVE_INFINITY,
  list: new Map(),
}

/** What is known when a roster is to be published. */
export interface RosterNews {
  /** Workers that were enlisted since the list was stored, each with the time of that. */
  readonly enlisted: readonly ListedWorker[]
  /** The newest roster that was published; sequence 0 if none is known. */
  readonly published: { readonly sequence: number; readonly entries: readonly RosterEntry[] }
}

/** What is to be published. */
export interface RosterDecision {
  readonly list: RosterList
  /** Of this list, or of the published roster if that is the same. */
  readonly sequence: number
  /** Whether it differs from the published roster. */
  readonly isNew: boolean
  /** Whether the list is stored as it is. Otherwise only times have changed, which need not be exact. */
  readonly isStored: boolean
}

/**
 * Decides which workers the roster lists, and stores them. The sequence number is stored before it is used, and is
 * higher than any that was seen, so that an older roster is never published after a restart.
 */
export const publishRoster: RecordCommand<RosterNews, RosterDecision> = {
  keysOf: () => ROSTER_KEYS,

  decide(state, { enlisted, published }, timeMs) {
    const stored = parseRoster(state) ?? NOTHING
    // The stored list is older than the published one: it was restored from a backup, or lost.
    const isOlder = published.sequence > stored.sequence
    const known = isOlder ? adopt(stored.list, published.entries, timeMs) : stored.list
    const list = enlistAll(expire(known, timeMs), enlisted)
    const isNew = published.sequence === 0 || !areSame(entriesOf(list), published.entries)
    const newest = Math.max(stored.sequence, published.sequence)
    const sequence = isNew ? newest + 1 : newest
    const isStored = isNew || stored.savedAt + SAVE_INTERVAL_MS <= timeMs
    const changes = isStored ? rosterChanges(state, { sequence, savedAt: timeMs, list }) : []
    return { changes, answer: { list, sequence, isNew, isStored } }
  },
}

/** The content of `roster.json`, in which an earlier version kept the list. */
export const earlierRosterSchema = z.strictObject({
  version: z.literal(1),
  sequence: z.number().int().nonnegative(),
  workers: z.array(listedWorkerSchema).max(MAX_ROSTER_ENTRIES),
})

/** Stores the list of an earlier version, unless there is one already. Answers whether it was stored. */
export const carryOverRoster: RecordCommand<z.infer<typeof earlierRosterSchema>, boolean> = {
  keysOf: () => ROSTER_KEYS,

  decide(state, { sequence, workers }) {
    if (parseRoster(state) !== undefined) return { changes: [], answer: false }
    const list = rosterListOf(workers)
    // The earlier version did not store when it was saved. It is stored again soon.
    return { changes: rosterChanges(state, { sequence, savedAt: 0, list }), answer: true }
  },
}

/** Whether two lists contain the same workers, in any order. */
function areSame(one: readonly RosterEntry[], other: readonly RosterEntry[]): boolean {
  const bytesOf = (entries: readonly RosterEntry[]) =>
    Buffer.concat(entries.map(encodeEntry).sort(Buffer.compare))
  return bytesOf(one).equals(bytesOf(other))
}
