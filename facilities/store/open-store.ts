import type { Clock } from '../clock/clock.js'
import { DurableStore } from './durable-store.js'
import { RollbackGuard } from './rollback-guard.js'
import { StoreFolder } from './store-folder.js'
import { Witness } from './witness.js'
import { WitnessFile } from './witness-file.js'

/** What the opening of a store needs besides its folder. */
export interface OpenStoreOptions {
  /** Tells the time that a backup has to be younger than, and when to try a failed disk again. */
  readonly clock: Clock
  /** The file of the rollback guard, outside of the folder around the store; none when left out. */
  readonly guard?: string
  /** A file that is made only after the store, so that it proves that there was one. */
  readonly trace?: string
  /** Called when there is a store but no witness, so that it is taken as it is. */
  readonly onUnwitnessed?: () => void
}

/**
 * Opens the store of one worker. It is locked until it is closed, or its process is gone; the folder
 * is made when it is missing, for its owner alone. The caller closes the store.
 *
 * First it is read, without writing anything, and held against its witness, the file beside the
 * folder that is named like it, with `.witness` at its end, and against its rollback guard. A store
 * without a witness is one that is new, was made before there were witnesses, or whose owner accepts
 * it as it is by removing the witness: it gets one. A folder that was copied, back from a backup for
 * instance, is as good as the first; two copies must not be in use at once.
 *
 * @param directory an absolute path
 * @throws StarlingError STORE_DAMAGED when it has less than, or something else than was acknowledged
 *   before, cannot be read to its end, or is gone: nothing was changed then; HOME_IN_USE when another
 *   worker, or this one, has it open already; LIBRARY_MISSING; DISK_FULL, DISK_FAILED; HOME_UNUSABLE
 *   when the folder cannot be made, read or written
 */
export async function openStore(
  directory: string,
  { clock, onUnwitnessed, ...paths }: OpenStoreOptions,
): Promise<DurableStore> {
  const place = { store: directory, witness: `${directory}.witness`, ...paths }
  const { guard } = paths
  const record = (path: string) =>
    new Witness({ storage: new WitnessFile(path), place, clock, path })
  const store = new DurableStore({
    disk: new StoreFolder(place, onUnwitnessed),
    witness: record(place.witness),
    guard: guard === undefined ? null : new RollbackGuard({ record: record(guard), clock }),
    clock,
  })
  await store.ready()
  return store
}
