import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import type { WitnessedCore, WitnessState } from '../../helpers/store/store-witness.js'
import { diskFailure } from '../files/disk-failure.js'

/** The paths of a store and of the files that describe it. */
export interface StorePlace {
  /** The folder of the store. */
  readonly store: string
  /** The file of the witness. */
  readonly witness: string
  /** The file of the rollback guard. */
  readonly guard?: string
  /** A file that is created after the store: if it exists, the store existed. */
  readonly trace?: string
}

/** What the witness and the guard record; null if there is no such file. */
export interface KnownState {
  readonly witnessed: WitnessState | null
  readonly guarded: WitnessState | null
}

/** The length, fork and hash of one core. */
export type CoreState = WitnessedCore

/** A store that is shorter than what its witness records, or has other content. */
export function contradictsWitness(
  place: StorePlace,
  { witnessed, guarded }: KnownState & { readonly witnessed: WitnessState },
  name: string,
  found: CoreState | undefined,
): StarlingError {
  const accepted = listed([place.witness, guarded && place.guard])
  return damaged(
    place,
    `its witness ${place.witness} records that ${difference(witnessed, name, found)}. ` +
      `${restore(witnessed)}; or, if you accept that the store stays as it is and that every ` +
      `account it lacks is lost, remove ${accepted}`,
  )
}

/** A store that agrees with its witness, or has none, but is older than its guard records. */
export function contradictsGuard(
  place: StorePlace,
  { witnessed, guarded }: KnownState & { readonly guarded: WitnessState },
  name: string,
  found: CoreState | undefined,
): StarlingError {
  const what = witnessed === null ? 'it was' : `it and its witness ${place.witness} were`
  return damaged(
    place,
    `${what} replaced by an older or another copy: ${place.guard} records that ` +
      `${difference(guarded, name, found)}. ${restore(guarded)}; or, if you accept that the store ` +
      `stays as it is and that every account it lacks is lost, remove ${place.guard}`,
  )
}

/**
 * A missing store, although a witness, a guard or a trace exists.
 *
 * @param hasTrace whether the file exists that is created after the store
 */
export function storeIsGone(
  place: StorePlace,
  { witnessed, guarded }: KnownState,
  hasTrace: boolean,
): StarlingError {
  const recorded = witnessed ?? guarded
  const accepted = listed([
    witnessed && place.witness,
    guarded && place.guard,
    hasTrace ? place.trace : null,
  ])
  const recorder =
    witnessed === null ? `so is its witness. ${place.guard}` : `its witness ${place.witness}`
  return damaged(
    place,
    recorded === null
      ? `it and its witness are missing, but ${place.trace}, which is created after them, exists. Restore ` +
          `a backup of the store; or, if you accept to start without accounts, remove ${accepted}`
      : `it is missing, and ${recorder} records that it held ${firstCore(recorded)}. ${restore(recorded)}; or, if ` +
          `you accept to start without accounts, remove ${accepted}`,
  )
}

/** A store that cannot be read to its end. */
export function storeIsUnreadable(
  place: StorePlace,
  { witnessed, guarded }: KnownState,
  reason: string,
  cause?: unknown,
): StarlingError {
  const recorded = witnessed ?? guarded
  const remedy = recorded === null ? 'Restore a backup of it' : restore(recorded)
  const all = listed([
    place.store,
    witnessed && place.witness,
    guarded && place.guard,
    place.trace ?? null,
  ])
  return damaged(
    place,
    `it cannot be read: ${reason}. ${remedy}; or, if you accept to start without accounts, move ` +
      `${all} elsewhere`,
    cause,
  )
}

/**
 * A damaged witness or rollback guard.
 *
 * @param path its file
 */
export function recordIsUnreadable(place: StorePlace, path: string): StarlingError {
  const what = path === place.guard ? `its rollback guard ${path}` : `its witness ${path}`
  return damaged(
    place,
    `${what} is damaged, so it is unknown whether anything is missing. If the store was ` +
      `neither restored nor repaired since the worker last ran, remove ${path}: the store is then ` +
      'used as it is',
  )
}

/**
 * The error for callers when the store cannot be written.
 *
 * @returns the cause if the store is damaged; otherwise DISK_FULL or DISK_FAILED
 */
export function writeFailure(
  { store }: StorePlace,
  cause: unknown,
  retryAfterMs: number,
): StarlingError {
  if (isStarlingError(cause, 'STORE_DAMAGED')) return cause
  const options = { retryAfterMs, cause }
  if (isStarlingError(cause, 'DISK_FULL', 'DISK_FAILED')) {
    return new StarlingError(cause.code, cause.message, options)
  }
  const message = isStarlingError(cause) ? cause.message : `The store in ${store} cannot be written`
  return diskFailure(store, cause, options) ?? new StarlingError('DISK_FAILED', message, options)
}

function damaged(place: StorePlace, what: string, cause?: unknown): StarlingError {
  return new StarlingError(
    'STORE_DAMAGED',
    `The store in ${place.store} lacks acknowledged data: ${what}`,
    { cause },
  )
}

/** `"records" held 5 entries (…), and it now holds 3 entries (…)` */
function difference(recorded: WitnessState, name: string, found: CoreState | undefined): string {
  const expected = describe(recorded.cores[name])
  const actual = found === undefined ? 'it is missing' : `it now holds ${describe(found)}`
  return `"${name}" held ${expected}, and ${actual}`
}

function firstCore(recorded: WitnessState): string {
  const [name, core] = Object.entries(recorded.cores)[0] ?? []
  return name === undefined ? 'nothing yet' : `${describe(core)} in "${name}"`
}

function describe(core: CoreState | undefined): string {
  if (core === undefined) return 'nothing'
  const { key, length, fork, treeHash } = core
  const forked = fork === 0 ? '' : `, fork ${fork}`
  return `${length} entries (core ${key.slice(0, 8)}${forked}, hash ${treeHash.slice(0, 8)})`
}

function restore(recorded: WitnessState): string {
  return `Restore a backup of the store taken after ${new Date(recorded.writtenAt).toISOString()}`
}

/** `a, b and c` */
function listed(paths: readonly (string | null | undefined)[]): string {
  const there = paths.filter((path) => path !== null && path !== undefined)
  return [there.slice(0, -1).join(', '), ...there.slice(-1)].filter(Boolean).join(' and ')
}
