import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { WitnessedCore, WitnessState } from '../../helpers/store-witness.js'

/** Where a store and what is kept about it are, as their owner knows them. */
export interface StorePlace {
  /** The folder of the store. */
  readonly store: string
  /** The file of the witness. */
  readonly witness: string
  /** The file of the rollback guard. */
  readonly guard?: string
  /** A file that is made only after the store, so that it proves that there was one. */
  readonly trace?: string
}

/** What is known of a store besides itself; null when there is no such record. */
export interface KnownState {
  readonly witnessed: WitnessState | null
  readonly guarded: WitnessState | null
}

/** Where one core stands. */
export type CoreState = WitnessedCore

/** A store that has less than, or something else than what was acknowledged. */
export function contradictsWitness(
  place: StorePlace,
  { witnessed, guarded }: KnownState & { readonly witnessed: WitnessState },
  name: string,
  found: CoreState | undefined,
): StarlingError {
  const accepted = listed([place.witness, guarded && place.guard])
  return damaged(
    place,
    `its witness ${place.witness} says that ${difference(witnessed, name, found)}. ` +
      `${restore(witnessed)}; or, if you accept that the store stays as it is and that every ` +
      `account it lacks is lost, remove ${accepted}`,
  )
}

/** A store that agrees with its witness, or has none, and is older than its guard all the same. */
export function contradictsGuard(
  place: StorePlace,
  { witnessed, guarded }: KnownState & { readonly guarded: WitnessState },
  name: string,
  found: CoreState | undefined,
): StarlingError {
  const what = witnessed === null ? 'it was' : `it and its witness ${place.witness} were`
  return damaged(
    place,
    `${what} replaced by an older or another copy: ${place.guard} says that ` +
      `${difference(guarded, name, found)}. ${restore(guarded)}; or, if you accept that the store ` +
      `stays as it is and that every account it lacks is lost, remove ${place.guard}`,
  )
}

/**
 * No store at all, where something says that there was one.
 *
 * @param hasTrace whether the file that is made after the store is there
 */
export function storeIsGone(
  place: StorePlace,
  { witnessed, guarded }: KnownState,
  hasTrace: boolean,
): StarlingError {
  const said = witnessed ?? guarded
  const accepted = listed([
    witnessed && place.witness,
    guarded && place.guard,
    hasTrace ? place.trace : null,
  ])
  const recorder =
    witnessed === null
      ? `its witness is gone, too, and ${place.guard}`
      : `its witness ${place.witness}`
  return damaged(
    place,
    said === null
      ? `it and its witness are gone, and ${place.trace} is there, which is made after them. Restore ` +
          `a backup of the store; or, if you accept to begin with no accounts, remove ${accepted}`
      : `it is gone, and ${recorder} says that it held ${firstCore(said)}. ${restore(said)}; or, if ` +
          `you accept to begin with no accounts, remove ${accepted}`,
  )
}

/** A store that cannot be read to its end. */
export function storeIsUnreadable(
  place: StorePlace,
  { witnessed, guarded }: KnownState,
  reason: string,
  cause?: unknown,
): StarlingError {
  const said = witnessed ?? guarded
  const remedy = said === null ? 'Restore a backup of it' : restore(said)
  const all = listed([
    place.store,
    witnessed && place.witness,
    guarded && place.guard,
    place.trace ?? null,
  ])
  return damaged(
    place,
    `it cannot be read: ${reason}. ${remedy}; or, if you accept to begin with no accounts, move ` +
      `${all} elsewhere`,
    cause,
  )
}

/**
 * A witness, or a rollback guard, that says nothing that can be relied on.
 *
 * @param path its file
 */
export function recordIsUnreadable(place: StorePlace, path: string): StarlingError {
  const what =
    path === place.guard ? `the record ${path} of how far it had come` : `its witness ${path}`
  return damaged(
    place,
    `${what} is damaged, so that nobody can tell whether anything is missing. If the store was ` +
      `neither restored nor repaired since the worker last ran, remove ${path}: the store is then ` +
      'taken as it is',
  )
}

function damaged(place: StorePlace, what: string, cause?: unknown): StarlingError {
  return new StarlingError(
    'STORE_DAMAGED',
    `The store in ${place.store} is not what was acknowledged: ${what}`,
    { cause },
  )
}

/** `"accounts" held 5 entries (…), and what is there holds 3 entries (…)` */
function difference(said: WitnessState, name: string, found: CoreState | undefined): string {
  const expected = describe(said.cores[name])
  const actual = found === undefined ? 'it is not there' : `what is there holds ${describe(found)}`
  return `"${name}" held ${expected}, and ${actual}`
}

function firstCore(said: WitnessState): string {
  const [name, core] = Object.entries(said.cores)[0] ?? []
  return name === undefined ? 'nothing yet' : `${describe(core)} in "${name}"`
}

function describe(core: CoreState | undefined): string {
  if (core === undefined) return 'nothing'
  const { key, length, fork, treeHash } = core
  const forked = fork === 0 ? '' : `, fork ${fork}`
  return `${length} entries (core ${key.slice(0, 8)}${forked}, hash ${treeHash.slice(0, 8)})`
}

function restore(said: WitnessState): string {
  return `Restore a backup of the store taken after ${new Date(said.writtenAt).toISOString()}`
}

/** `a, b and c` */
function listed(paths: readonly (string | null | undefined)[]): string {
  const there = paths.filter((path) => path !== null && path !== undefined)
  return [there.slice(0, -1).join(', '), ...there.slice(-1)].filter(Boolean).join(' and ')
}
