/** What Starling uses of the storage stack: hypercore 11, hypercore-storage 3, corestore 7 and hyperbee 2. */

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
    /** Open a copied store, too. */
    readonly allowBackup?: boolean
    /** RocksDB's `write_buffer_size` in bytes; 64 MiB when left out. */
    readonly writeBufferSize?: number
  }

  export default class HypercoreStorage {
    /** A directory, or a RocksDB handle that is open already. */
    constructor(database: string | StorageDatabase, options?: StorageOptions)
    readonly db: StorageDatabase
    readonly closed: boolean
    ready(): Promise<void>
    close(): Promise<void>
  }
}

declare module 'hypercore' {
  import type { EventEmitter } from 'node:events'
  import type HypercoreStorage from 'hypercore-storage'
  import type { StorageOptions } from 'hypercore-storage'

  export interface BlockRange {
    readonly start?: number
    /** -1 for whatever is appended from now on, too. */
    readonly end?: number
  }

  export interface Download {
    done(): Promise<void>
    destroy(): void
  }

  /** Emits 'append', 'truncate' (length, fork) and 'close', among others. */
  export default class Hypercore extends EventEmitter {
    /** The storage of a Corestore in a folder. */
    static defaultStorage(folder: string, options?: StorageOptions): HypercoreStorage
    /** Null until `ready()`. */
    readonly key: Buffer | null
    readonly discoveryKey: Buffer | null
    readonly length: number
    readonly contiguousLength: number
    readonly fork: number
    readonly writable: boolean
    readonly opened: boolean
    readonly closed: boolean
    ready(): Promise<void>
    close(): Promise<void>
    append(
      blocks: Uint8Array | readonly Uint8Array[],
    ): Promise<{ length: number; byteLength: number }>
    /** Null when the block is not here and `wait` is false or the timeout has passed. */
    get(
      index: number,
      options?: { readonly wait?: boolean; readonly timeout?: number },
    ): Promise<Buffer | null>
    /** Drops the blocks from here; they stay part of the log. `end` is not dropped. */
    clear(start: number, end?: number): Promise<unknown>
    /** Shortens the log, which counts its fork up. */
    truncate(length: number): Promise<void>
    has(start: number, end?: number): Promise<boolean>
    treeHash(length?: number): Promise<Buffer>
    update(options?: { readonly wait?: boolean }): Promise<boolean>
    download(range?: BlockRange): Download
  }
}

declare module 'corestore' {
  import type { Duplex } from 'node:stream'
  import type Hypercore from 'hypercore'
  import type HypercoreStorage from 'hypercore-storage'

  export interface CorestoreOptions {
    /** Open a copied store, too. */
    readonly allowBackup?: boolean
    /** No byte on the disk is changed, no lock is taken, and every write fails. */
    readonly readOnly?: boolean
  }

  /** A core of our own by name, anybody's by key, or one that is stored here. */
  export type CoreSelector =
    | { readonly name: string }
    | { readonly key: Uint8Array; readonly createIfMissing?: boolean }
    | { readonly discoveryKey: Uint8Array; readonly createIfMissing: false }

  export default class Corestore {
    constructor(storage: string | HypercoreStorage, options?: CorestoreOptions)
    readonly storage: HypercoreStorage
    readonly opened: boolean
    readonly closed: boolean
    ready(): Promise<void>
    close(): Promise<void>
    /** Opening one that is not to be made fails with the code STORAGE_EMPTY when it is missing. */
    get(core: CoreSelector): Hypercore
    /** The discovery keys of the cores that are stored here. */
    list(): AsyncIterable<Buffer>
    /** A view of the same storage in which names mean other cores. Close the root, not this. */
    namespace(name: string): Corestore
    session(): Corestore
    /** The connection's protomux stream, or whether this end began it. */
    replicate(connection: boolean | Duplex): Duplex
  }
}

declare module 'hyperbee' {
  import type Hypercore from 'hypercore'

  /** What each encoding carries. */
  export interface Encoded {
    binary: Buffer
    'utf-8': string
    json: unknown
  }

  export type EncodingName = keyof Encoded

  export interface HyperbeeOptions<Key extends EncodingName, Value extends EncodingName> {
    readonly keyEncoding: Key
    readonly valueEncoding: Value
    /** The extension that lets a peer walk the tree for us; on unless told otherwise. */
    readonly extension?: boolean
  }

  export interface Entry<Key extends EncodingName, Value extends EncodingName> {
    readonly seq: number
    readonly key: Encoded[Key]
    readonly value: Encoded[Value]
  }

  export interface Range<Key extends EncodingName> {
    readonly gt?: Encoded[Key]
    readonly gte?: Encoded[Key]
    readonly lt?: Encoded[Key]
    readonly lte?: Encoded[Key]
  }

  export interface ReadOptions {
    readonly reverse?: boolean
    /** -1, for all, unless told otherwise. */
    readonly limit?: number
  }

  /** Compare and swap: the write happens only when this answers true. */
  export interface WriteOptions<Key extends EncodingName, Value extends EncodingName> {
    readonly cas?: (
      previous: Entry<Key, Value> | null,
      next: Entry<Key, Value>,
    ) => boolean | Promise<boolean>
  }

  export interface Batch<Key extends EncodingName, Value extends EncodingName> {
    get(key: Encoded[Key]): Promise<Entry<Key, Value> | null>
    put(key: Encoded[Key], value: Encoded[Value], options?: WriteOptions<Key, Value>): Promise<void>
    del(key: Encoded[Key]): Promise<void>
    /** Appends what was gathered in one write. */
    flush(): Promise<void>
    /** Gives up what was gathered. */
    close(): Promise<void>
  }

  export default class Hyperbee<
    Key extends EncodingName = 'binary',
    Value extends EncodingName = 'binary',
  > {
    constructor(core: Hypercore, options: HyperbeeOptions<Key, Value>)
    readonly core: Hypercore
    /** Grows with every write. */
    readonly version: number
    readonly writable: boolean
    ready(): Promise<void>
    /** Closes the core, too. */
    close(): Promise<void>
    get(
      key: Encoded[Key],
      options?: { readonly wait?: boolean; readonly timeout?: number },
    ): Promise<Entry<Key, Value> | null>
    /** Resolves before the write is on disk: see `StorageDatabase.flush`. */
    put(key: Encoded[Key], value: Encoded[Value], options?: WriteOptions<Key, Value>): Promise<void>
    del(key: Encoded[Key]): Promise<void>
    batch(): Batch<Key, Value>
    createReadStream(range?: Range<Key>, options?: ReadOptions): AsyncIterable<Entry<Key, Value>>
    /** Every write, deletions included; `live` goes on with those to come. */
    createHistoryStream(options?: {
      readonly gte?: number
      readonly live?: boolean
    }): AsyncIterable<Entry<Key, Value> & { readonly type: 'put' | 'del' }>
    update(options?: { readonly wait?: boolean }): Promise<boolean>
    /** What the tree holds now, whatever is written later. Close it after use. */
    snapshot(): Hyperbee<Key, Value>
  }
}
