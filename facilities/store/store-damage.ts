import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { WitnessedCore, WitnessState } from '../../helpers/store-witness.js'

/** Where a store and its witness are, as their owner knows them. */
export interface StorePlace {
  /** The folder of the store. */
  readonly store: string
  /** The file of the witness. */
  readonly witness: string
}

/** Where one core stands. */
export type CoreState = WitnessedCore

/** A store that has less than, or something else than what was acknowledged. */
export function contradictsWitness(
  place: StorePlace,
  said: WitnessState,
  name: string,
  found: CoreState | undefined,
): StarlingError {
  const expected = said.cores[name]
  return damaged(
    place,
    `its witness ${place.witness} says that "${name}" held ${describe(expected)}, and ` +
      `${found === undefined ? 'it is not there' : `what is there holds ${describe(found)}`}. ` +
      `${restore(said)}; or, if you accept that the store stays as it is and that every account it ` +
      `lacks is lost, remove ${place.witness}`,
  )
}

/** No store at all, where a witness says that there was one. */
export function storeIsGone(place: StorePlace, said: WitnessState): StarlingError {
  const [name, core] = Object.entries(said.cores)[0] ?? []
  return damaged(
    place,
    `it is gone, and its witness ${place.witness} says that it held ` +
      `${name === undefined ? 'nothing yet' : `${describe(core)} in "${name}"`}. ${restore(said)}; ` +
      `or, if you accept to begin with no accounts, remove ${place.witness}`,
  )
}

/**
 * A store that cannot be read to its end.
 *
 * @param said null when it has no witness
 */
export function storeIsUnreadable(
  place: StorePlace,
  said: WitnessState | null,
  reason: string,
  cause?: unknown,
): StarlingError {
  const [remedy, both] =
    said === null
      ? ['Restore a backup of it', place.store]
      : [restore(said), `${place.store} and ${place.witness}`]
  return damaged(
    place,
    `it cannot be read: ${reason}. ${remedy}; or, if you accept to begin with no accounts, move ` +
      `${both} elsewhere`,
    cause,
  )
}

/** A witness that says nothing that can be relied on. */
export function witnessIsUnreadable(place: StorePlace): StarlingError {
  return damaged(
    place,
    `its witness ${place.witness} is damaged, so that nobody can tell whether anything is missing. ` +
      `If the store was neither restored nor repaired since the worker last ran, remove ` +
      `${place.witness}: the store is then taken as it is`,
  )
}

function damaged(place: StorePlace, what: string, cause?: unknown): StarlingError {
  return new StarlingError(
    'STORE_DAMAGED',
    `The store in ${place.store} is not what was acknowledged: ${what}`,
    { cause },
  )
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
