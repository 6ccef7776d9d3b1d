import type { Clock } from '../clock/clock.js'
import { SystemFiles } from '../files/files.js'
import { DurableStore } from './durable-store.js'
import { RollbackGuard } from './rollback-guard.js'
import { StoreFolder } from './store-folder.js'
import { Witness } from './witness.js'

/** Options of {@link openStore}. */
export interface OpenStoreOptions {
  /** For the time after which a backup must have been taken, and for retries after a disk failure. */
  readonly clock: Clock
  /** The file of the rollback guard, outside of the folder around the store; none when left out. */
  readonly guard?: string
  /** A file that is created after the store: if it exists, the store existed. */
  readonly trace?: string
  /** Called if there is a store without a witness, which is then used as it is. */
  readonly onUnwitnessed?: () => void
}

/**
 * Opens the store of one worker. It is locked until it is closed or its process ends. The folder is
 * created, for its owner alone, if it is missing. The caller closes the store.
 *
 * First the store is read, without writing anything, and compared with its witness, the file with the
 * name of the folder and `.witness`, and with its rollback guard. A store without a witness gets one: it
 * is new, was created by a version without witnesses, or its owner has removed the witness to accept the
 * store as it is. A copy of the folder, for example from a backup, can be opened like the original; two
 * copies must not be in use at the same time.
 *
 * @param directory an absolute path
 * @throws StarlingError STORE_DAMAGED if acknowledged data is missing or different, or the store cannot
 *   be read to its end or is missing: nothing was changed then; HOME_IN_USE if another worker, or this
 *   one, has it open; LIBRARY_MISSING; DISK_FULL, DISK_FAILED; HOME_UNUSABLE if the folder cannot be
 *   created, read or written
 */
export async function openStore(
  directory: string,
  { clock, onUnwitnessed, ...paths }: OpenStoreOptions,
): Promise<DurableStore> {
  const place = { store: directory, witness: `${directory}.witness`, ...paths }
  const { guard } = paths
  const files = new SystemFiles()
  const record = (path: string) => new Witness({ files, place, clock, path })
  const store = new DurableStore({
    disk: new StoreFolder(place, onUnwitnessed),
    witness: record(place.witness),
    guard: guard === undefined ? null : new RollbackGuard({ record: record(guard), clock }),
    clock,
  })
  await store.ready()
  return store
}
