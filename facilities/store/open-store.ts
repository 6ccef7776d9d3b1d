import { mkdir, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type Corestore from 'corestore'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { WitnessState } from '../../helpers/store-witness.js'
import type { Clock } from '../clock/clock.js'
import { isSystemError } from '../home/system-error.js'
import { DurableStore } from './durable-store.js'
import { loadCorestore } from './load-corestore.js'
import { type StorePlace, storeIsGone } from './store-damage.js'
import { closeAnyway, reasonOf, verifyStore } from './verify-store.js'
import { Witness } from './witness.js'
import { syncFolder, WitnessFile } from './witness-file.js'

/** What the opening of a store needs besides its folder. */
export interface OpenStoreOptions {
  /** Tells the time that a backup has to be younger than. */
  readonly clock: Pick<Clock, 'now'>
  /** Called when there is a store but no witness, so that it is taken as it is. */
  readonly onUnwitnessed?: () => void
}

/** How a lock that somebody else holds is reported by RocksDB. It has no code. */
const LOCKED = /could not be locked|while lock file|lock hold by/i

/** What keeps a whole store from being read. */
const OUT_OF_REACH = /permission denied|operation not permitted|too many open files|out of memory/i

/** RocksDB's files that hold what was synced. */
const TABLE = /\.(sst|blob)$/

/**
 * Opens the store of one worker. It is locked until it is closed, or its process is gone; the folder
 * is made when it is missing, for its owner alone. The caller closes the store.
 *
 * First it is read, without writing anything, and held against its witness, the file beside the
 * folder that is named like it, with `.witness` at its end. A store without a witness is one that is
 * new, was made before there were witnesses, or whose owner accepts it as it is by removing the
 * witness: it gets one. A folder that was copied, back from a backup for instance, is as good as the
 * first; two copies must not be in use at once.
 *
 * @param directory an absolute path
 * @throws StarlingError STORE_DAMAGED when it has less than, or something else than was acknowledged
 *   before, or cannot be read to its end: nothing was changed then; HOME_IN_USE when another worker,
 *   or this one, has it open already; LIBRARY_MISSING; HOME_UNUSABLE when the folder cannot be made, read or written
 */
export async function openStore(
  directory: string,
  options: OpenStoreOptions,
): Promise<DurableStore> {
  const Store = await loadCorestore()
  const place = { store: directory, witness: `${directory}.witness` }
  const witness = new Witness({ storage: new WitnessFile(place.witness), place, ...options })
  const said = await witness.load()
  const holdsRecords = await inspect(Store, place, said)
  if (holdsRecords && said === null) options.onUnwitnessed?.()
  await makeFolder(directory)
  const corestore = await openForWriting(Store, directory)
  const store = new DurableStore({ corestore, witness, place })
  await store.ready()
  return store
}

/** Reads the whole store and leaves every byte of it as it is. False when it holds nothing yet. */
async function inspect(
  Store: typeof Corestore,
  place: StorePlace,
  said: WitnessState | null,
): Promise<boolean> {
  const files = await filesOf(place)
  if (said !== null && files.length === 0) throw storeIsGone(place, said)
  // Without witness and tables nothing was ever acknowledged: new, or a first start that was cut off.
  if (said === null && !files.some((name) => TABLE.test(name))) return false
  const store = new Store(place.store, { readOnly: true })
  try {
    await verifyStore(store, said, place)
    return true
  } catch (error) {
    const reason = reasonOf(error)
    throw OUT_OF_REACH.test(reason) ? unusable(place.store, error) : error
  } finally {
    await closeAnyway(store)
  }
}

async function filesOf(place: StorePlace): Promise<string[]> {
  try {
    return await readdir(join(place.store, 'db'))
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) return []
    throw unusable(place.store, cause)
  }
}

/** Its name, and that of the worker's folder around it, outlast a power cut. */
async function makeFolder(directory: string): Promise<void> {
  try {
    await mkdir(join(directory, 'db'), { recursive: true, mode: 0o700 })
    await syncFolder(directory)
    await syncFolder(dirname(directory))
    await syncFolder(dirname(dirname(directory)))
  } catch (cause) {
    throw unusable(directory, cause)
  }
}

async function openForWriting(Store: typeof Corestore, directory: string): Promise<Corestore> {
  // A copied store is welcome: its witness tells a stale one, which its inode cannot.
  const store = new Store(directory, { allowBackup: true })
  try {
    await store.ready()
    return store
  } catch (cause) {
    await closeAnyway(store)
    if (LOCKED.test(reasonOf(cause))) {
      throw new StarlingError('HOME_IN_USE', `The store in ${directory} is open already`, { cause })
    }
    throw unusable(directory, cause)
  }
}

function unusable(directory: string, cause: unknown): StarlingError {
  return new StarlingError(
    'HOME_UNUSABLE',
    `The store in ${directory} cannot be opened: ${reasonOf(cause)}`,
    { cause },
  )
}
