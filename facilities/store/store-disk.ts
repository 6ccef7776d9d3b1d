import type Corestore from 'corestore'
import type { KnownState, StorePlace } from './store-errors.js'

/** The disk operations that {@link DurableStore} needs for a store in a folder. */
export interface StoreDisk {
  readonly place: StorePlace

  /**
   * Compares the store with its witness and guard, without writing anything, and opens it for writing.
   * The caller closes it.
   *
   * @throws StarlingError STORE_DAMAGED, HOME_IN_USE, HOME_UNUSABLE, DISK_FULL, DISK_FAILED
   */
  open(known: KnownState): Promise<Corestore>

  /**
   * Resolves when everything that was written to the open store before this call is on disk.
   *
   * @throws the error of the file system
   */
  sync(): Promise<void>

  /** Closes the files that `sync` has opened. Called after the store was closed. */
  release(): Promise<void>

  /**
   * Checks whether there is enough room to open and write the store again.
   *
   * @throws the reason if there is not
   */
  probe(): Promise<void>

  /** Whether the store's own log is so large that the store has to be reopened. */
  isLogFull(): Promise<boolean>
}
