/** The part of corestore 7.12 that Starling uses; the package ships no types. */
declare module 'corestore' {
  import type Hypercore from 'hypercore'
  import type HypercoreStorage from 'hypercore-storage'

  export interface CorestoreOptions {
    /** Nothing on the disk is changed, no lock is taken, and every write fails. */
    readonly readOnly?: boolean
  }

  /**
   * A core of this store by name or by the key pair that signs it, any core by key, or a stored core by discovery
   * key. A stored core with its key pair can be written, however it was selected.
   */
  export type CoreSelector =
    | { readonly name: string }
    | { readonly keyPair: { readonly publicKey: Uint8Array; readonly secretKey: Uint8Array } }
    | { readonly key: Uint8Array; readonly createIfMissing?: boolean }
    | { readonly discoveryKey: Uint8Array; readonly createIfMissing: false }

  export default class Corestore {
    constructor(storage: string | HypercoreStorage, options?: CorestoreOptions)
    readonly storage: HypercoreStorage
    ready(): Promise<void>
    close(): Promise<void>
    /** With `createIfMissing: false`, opening a missing core fails with the code STORAGE_EMPTY. */
    get(core: CoreSelector): Hypercore
    /** The discovery keys of the stored cores. */
    list(): AsyncIterable<Buffer>
  }
}
