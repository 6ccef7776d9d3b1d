import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import { discoveryKey } from 'hypercore-crypto'
import { isStarlingError, type StarlingError } from '../../helpers/errors/starling-error.js'
import type { WitnessState } from '../../helpers/store/store-witness.js'
import { coreState, hashAt, readWholeCore } from './core-state.js'
import {
  type CoreState,
  contradictsGuard,
  contradictsWitness,
  type KnownState,
  type StorePlace,
  storeIsUnreadable,
} from './store-errors.js'

/**
 * Compares a store with its witness and its rollback guard: every core that they name has to be at least as
 * long, have the same content, and be readable to its end. A store that is ahead has lost nothing: a crash
 * came between its sync and theirs. Without a witness every core in the store is read. Nothing is written.
 *
 * @returns whether the store contains anything
 * @throws StarlingError STORE_DAMAGED
 */
export async function verifyStore(
  store: Corestore,
  known: KnownState,
  place: StorePlace,
): Promise<boolean> {
  const { witnessed, guarded } = known
  try {
    await store.ready()
    let holdsRecords = true
    if (witnessed === null) holdsRecords = await readEveryCore(store)
    else await verifyWitnessed(store, { witnessed, guarded }, place)
    if (guarded !== null) await verifyGuarded(store, { witnessed, guarded }, place)
    return holdsRecords
  } catch (cause) {
    if (isStarlingError(cause)) throw cause
    throw storeIsUnreadable(place, known, reasonOf(cause), cause)
  }
}

/** Closes a store of which a core, or all of it, may have failed to open. */
export async function closeAnyway(store: Corestore): Promise<void> {
  // A core that did not open fails again when it is closed, and prevents the rest from being closed. The first
  // error is the one to report.
  await store.close().catch(() => undefined)
  await store.storage.close().catch(() => undefined)
}

/** The discovery keys of the cores in a store that its witness does not name. */
export async function unwitnessedCores(
  store: Corestore,
  witnessed: WitnessState | null,
): Promise<readonly Buffer[]> {
  const keys = Object.values(witnessed?.cores ?? {}).map(({ key }) => Buffer.from(key, 'hex'))
  const known = new Set(keys.map((key) => discoveryKey(key).toString('hex')))
  const unknown: Buffer[] = []
  for await (const key of store.list()) if (!known.has(key.toString('hex'))) unknown.push(key)
  return unknown
}

/** Whether a witness or a guard names the core with this key. */
export function names(state: WitnessState | null, key: Uint8Array | null): boolean {
  if (key === null) return false
  const hex = Buffer.from(key).toString('hex')
  return Object.values(state?.cores ?? {}).some((core) => core.key === hex)
}

/** @returns whether any of them contains anything */
async function readEveryCore(store: Corestore): Promise<boolean> {
  let holdsRecords = false
  for await (const discoveryKey of store.list()) {
    await withCore(store.get({ discoveryKey, createIfMissing: false }), async (core) => {
      await readWholeCore(core, core.length)
      holdsRecords ||= core.length > 0
    })
  }
  return holdsRecords
}

async function verifyWitnessed(
  store: Corestore,
  known: KnownState & { readonly witnessed: WitnessState },
  place: StorePlace,
): Promise<void> {
  for (const [name, expected] of Object.entries(known.witnessed.cores)) {
    const contradiction = (found?: CoreState) => contradictsWitness(place, known, name, found)
    await withKnownCore(store, expected, contradiction, async (core) => {
      const found = await coreState(core)
      if (!reaches(found, expected)) throw contradiction(found)
      const treeHash = await readWholeCore(core, expected.length)
      if (treeHash === expected.treeHash) return
      throw contradiction({ ...found, length: expected.length, treeHash })
    })
  }
}

/** After the whole store has been read, so that its hashes can be relied on. */
async function verifyGuarded(
  store: Corestore,
  known: KnownState & { readonly guarded: WitnessState },
  place: StorePlace,
): Promise<void> {
  for (const [name, expected] of Object.entries(known.guarded.cores)) {
    const contradiction = (found?: CoreState) => contradictsGuard(place, known, name, found)
    await withKnownCore(store, expected, contradiction, async (core) => {
      const found = await coreState(core)
      if (!reaches(found, expected)) throw contradiction(found)
      const treeHash = await hashAt(core, expected.length)
      if (treeHash === expected.treeHash) return
      throw contradiction({ ...found, length: expected.length, treeHash })
    })
  }
}

function reaches(found: CoreState, expected: CoreState): boolean {
  return found.length >= expected.length && found.fork === expected.fork
}

/** @param contradiction the error if the core is missing */
async function withKnownCore(
  store: Corestore,
  { key }: CoreState,
  contradiction: () => StarlingError,
  use: (core: Hypercore) => Promise<void>,
): Promise<void> {
  try {
    await withCore(store.get({ key: Buffer.from(key, 'hex'), createIfMissing: false }), use)
  } catch (error) {
    throw isMissingCore(error) ? contradiction() : error
  }
}

async function withCore(core: Hypercore, use: (core: Hypercore) => Promise<void>): Promise<void> {
  try {
    await core.ready()
    await use(core)
  } finally {
    // A core that did not open fails again when it is closed. The first error is the one to report.
    await core.close().catch(() => undefined)
  }
}

/** Whether a core could not be opened because the store does not contain it. */
function isMissingCore(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STORAGE_EMPTY'
}

/** The message of an error with those of its causes. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message} (${reasonOf(error.cause)})`
}
