import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { WitnessState } from '../../helpers/store-witness.js'
import { coreState, readWholeCore } from './core-state.js'
import { contradictsWitness, type StorePlace, storeIsUnreadable } from './store-damage.js'

/**
 * Holds a store against its witness: every core that it names has to have come at least as far, with
 * the same content, and has to be readable to its end. A store that is ahead has lost nothing: a
 * crash came between its sync and the witness's. Without a witness every core in the store is read.
 * Nothing is written.
 *
 * @param said null when there is no witness
 * @throws StarlingError STORE_DAMAGED
 */
export async function verifyStore(
  store: Corestore,
  said: WitnessState | null,
  place: StorePlace,
): Promise<void> {
  try {
    await store.ready()
    if (said === null) await readEveryCore(store)
    else for (const name of Object.keys(said.cores)) await verifyCore(store, said, name, place)
  } catch (cause) {
    if (isStarlingError(cause)) throw cause
    throw storeIsUnreadable(place, said, reasonOf(cause), cause)
  }
}

/** Closes a store of which a core, or all of it, may have failed to open. */
export async function closeAnyway(store: Corestore): Promise<void> {
  // What did not open says why a second time, and keeps the rest from being closed; the first time
  // is the one to tell.
  await store.close().catch(() => undefined)
  await store.storage.close().catch(() => undefined)
}

async function readEveryCore(store: Corestore): Promise<void> {
  for await (const discoveryKey of store.list()) {
    await withCore(store.get({ discoveryKey, createIfMissing: false }), async (core) => {
      await readWholeCore(core, core.length)
    })
  }
}

async function verifyCore(
  store: Corestore,
  said: WitnessState,
  name: string,
  place: StorePlace,
): Promise<void> {
  const expected = said.cores[name]
  if (expected === undefined) return
  const key = Buffer.from(expected.key, 'hex')
  try {
    await withCore(store.get({ key, createIfMissing: false }), async (core) => {
      const found = await coreState(core)
      if (found.length < expected.length || found.fork !== expected.fork) {
        throw contradictsWitness(place, said, name, found)
      }
      const treeHash = await readWholeCore(core, expected.length)
      if (treeHash !== expected.treeHash) {
        throw contradictsWitness(place, said, name, { ...found, length: expected.length, treeHash })
      }
    })
  } catch (error) {
    if (hasCode(error, 'STORAGE_EMPTY')) throw contradictsWitness(place, said, name, undefined)
    throw error
  }
}

async function withCore(core: Hypercore, use: (core: Hypercore) => Promise<void>): Promise<void> {
  try {
    await core.ready()
    await use(core)
  } finally {
    // A core that did not open says why a second time; the first is the one to tell.
    await core.close().catch(() => undefined)
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** What an error of the libraries below says, with what it was caused by. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message} (${reasonOf(error.cause)})`
}
