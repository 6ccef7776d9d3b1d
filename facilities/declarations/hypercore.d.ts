/** The parts of hypercore 11.37 and hypercore-storage 3.3 that Starling uses; the packages ship no types. */

declare module 'hypercore' {
  import type { EventEmitter } from 'node:events'
  import type HypercoreStorage from 'hypercore-storage'
  import type { StorageOptions } from 'hypercore-storage'

  /** Emits 'append', 'truncate' (length, fork) and 'close', among others. */
  export default class Hypercore extends EventEmitter {
    /** The storage of a Corestore in a folder. */
    static defaultStorage(folder: string, options?: StorageOptions): HypercoreStorage
    /** Null until `ready()`. */
    readonly key: Buffer | null
    /** Null until `ready()`. */
    readonly discoveryKey: Buffer | null
    readonly length: number
    readonly fork: number
    readonly opened: boolean
    readonly closed: boolean
    ready(): Promise<void>
    close(): Promise<void>
    append(
      blocks: Uint8Array | readonly Uint8Array[],
    ): Promise<{ length: number; byteLength: number }>
    /** Null when the block is not here and `wait` is false. */
    get(index: number, options?: { readonly wait?: boolean }): Promise<Buffer | null>
    /** Drops the blocks from here; they stay part of the log. `end` is not dropped. */
    clear(start: number, end?: number): Promise<unknown>
    /** Shortens the log, which counts its fork up. */
    truncate(length: number): Promise<void>
    has(start: number, end?: number): Promise<boolean>
    treeHash(length?: number): Promise<Buffer>
  }
}

declare module 'hypercore-storage' {
  /** The part of a RocksDB handle that is called from outside of hypercore-storage. */
  export interface StorageDatabase {
    readonly path: string
    readonly closed: boolean
    /** Makes a table of what was written. `HypercoreStorage.flush()` does not do that. */
    flush(): Promise<void>
    close(): Promise<void>
  }

  export interface StorageOptions {
    /** Opens a copied store, too. */
    readonly allowBackup?: boolean
    /** RocksDB's `write_buffer_size` in bytes; default: 64 MiB. */
    readonly writeBufferSize?: number
  }

  /** Where the data of a core is. */
  export interface CorePointers {
    readonly corePointer: number
    readonly dataPointer: number
    /** Its name, if it has one. */
    readonly alias?: { readonly name: string } | null
  }

  export default class HypercoreStorage {
    /** A directory, or a RocksDB handle that is open already. */
    constructor(database: string | StorageDatabase, options?: StorageOptions)
    readonly db: StorageDatabase
    readonly closed: boolean
    /** The discovery key of the core with this name, which may be missing; null if there never was one. */
    getAlias(alias: {
      readonly name: string
      readonly namespace: Uint8Array
    }): Promise<Buffer | null>
    hasCore(discoveryKey: Uint8Array): Promise<boolean>
    /** Null if there is no such core. */
    getInfo(
      discoveryKey: Uint8Array,
      options: { readonly auth: false; readonly head: false; readonly hints: false },
    ): Promise<{ readonly core: CorePointers } | null>
    /** Removes a core, but not its blocks. */
    deleteCore(core: CorePointers): Promise<void>
    ready(): Promise<void>
    close(): Promise<void>
  }
}
