/** The part of hyperbee 2.27 that Starling uses; the package ships no types. */
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
    /** The extension that lets a peer walk the tree for us. Default: true. */
    readonly extension?: boolean
  }

  export interface Entry<Key extends EncodingName, Value extends EncodingName> {
    readonly seq: number
    readonly key: Encoded[Key]
    readonly value: Encoded[Value]
  }

  export interface Batch<Key extends EncodingName, Value extends EncodingName> {
    get(key: Encoded[Key]): Promise<Entry<Key, Value> | null>
    put(key: Encoded[Key], value: Encoded[Value]): Promise<void>
    /** Appends what was collected in one write. */
    flush(): Promise<void>
    /** Discards what was collected. */
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
    ready(): Promise<void>
    /** Closes the core, too. */
    close(): Promise<void>
    get(key: Encoded[Key]): Promise<Entry<Key, Value> | null>
    /** Resolves before the write is on disk: see `StorageDatabase.flush`. */
    put(key: Encoded[Key], value: Encoded[Value]): Promise<void>
    del(key: Encoded[Key]): Promise<void>
    batch(): Batch<Key, Value>
    createReadStream(range: object, options: object): AsyncIterable<Entry<Key, Value>>
    /** What the tree holds now, whatever is written later. Close it after use. */
    snapshot(): Hyperbee<Key, Value>
  }
}
