import type Corestore from 'corestore'
import type { KnownState, StorePlace } from './store-damage.js'

/** Where a store is kept: what {@link DurableStore} needs of a folder on a disk. */
export interface StoreDisk {
  readonly place: StorePlace

  /**
   * Holds the store against what is known of it, without writing anything, and opens it for writing.
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

  /** Lets go of what `sync` has opened. To be called when the store was closed. */
  release(): Promise<void>

  /**
   * Tries whether there is room for a store to be opened and written again.
   *
   * @throws why there is not
   */
  probe(): Promise<void>

  /** Whether the store's own log has grown so large that the store is to be opened anew. */
  isLogFull(): Promise<boolean>
}
