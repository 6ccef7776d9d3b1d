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
    /** Written into the first block, which the first change appends. */
    readonly metadata?: { readonly userData: Uint8Array }
  }

  /** The first block. */
  export interface Header {
    /** `hyperbee` */
    readonly protocol: string
    readonly metadata: { readonly userData: Buffer | null } | null
  }

  /** Reads what the tree contained when its core had this length. */
  export interface Checkout {
    readonly checkout?: number
  }

  export interface Range<Key> {
    readonly gte?: Key
    readonly lt?: Key
  }

  export interface Entry<Key extends EncodingName, Value extends EncodingName> {
    readonly seq: number
    readonly key: Encoded[Key]
    readonly value: Encoded[Value]
  }

  export interface HistoryEntry<Key extends EncodingName, Value extends EncodingName> {
    readonly type: 'put' | 'del'
    readonly seq: number
    readonly key: Encoded[Key]
    readonly value: Encoded[Value] | null
  }

  export interface Batch<Key extends EncodingName, Value extends EncodingName> {
    get(key: Encoded[Key]): Promise<Entry<Key, Value> | null>
    put(key: Encoded[Key], value: Encoded[Value]): Promise<void>
    del(key: Encoded[Key]): Promise<void>
    /** The length that the core will have: that of the core and of what was collected. At least 1. */
    readonly version: number
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
    get(key: Encoded[Key], options?: Checkout): Promise<Entry<Key, Value> | null>
    /** Resolves before the write is on disk: see `StorageDatabase.flush`. */
    put(key: Encoded[Key], value: Encoded[Value]): Promise<void>
    del(key: Encoded[Key]): Promise<void>
    batch(): Batch<Key, Value>
    createReadStream(
      range?: Range<Encoded[Key]>,
      options?: Checkout & { readonly limit?: number },
    ): AsyncIterable<Entry<Key, Value>>
    /** What was written, by sequence: from `gte` on, up to, not including, `lt`. The value of a deletion is null. */
    createHistoryStream(options: {
      readonly gte: number
      readonly lt: number
    }): AsyncIterable<HistoryEntry<Key, Value>>
    /** @throws a DECODING_ERROR if the first block is something else. Waits for it if there is none. */
    getHeader(): Promise<Header>
    /** What the tree holds now, whatever is written later. Close it after use. */
    snapshot(): Hyperbee<Key, Value>
  }
}
