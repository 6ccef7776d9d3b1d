/**
 * A position in the history of a set of records. Sequences grow within an epoch, not always by one. A new epoch
 * begins when the history is cut: every record then has a new revision.
 */
export interface Revision {
  readonly epoch: number
  readonly sequence: number
}

/** A record as it is stored. */
export interface Entry {
  readonly key: string
  /** JSON, neither null nor undefined. Whoever reads it validates it. */
  readonly value: unknown
  /** When it was last written. */
  readonly revision: Revision
}

/** Writes or removes one record. Removing a record that does not exist changes nothing. */
export type RecordChange =
  | { readonly kind: 'put'; readonly key: string; readonly value: unknown }
  | { readonly kind: 'remove'; readonly key: string }

/** What has to hold for a batch: the record was last written at this revision; null: there is no such record. */
export interface RecordCondition {
  readonly key: string
  readonly revision: Revision | null
}

/** Records whose keys follow each other in the order of their UTF-8 bytes. */
export interface RecordRange {
  /** The first key. Default: that of the first record. */
  readonly from?: string | undefined
  /** The key before which the range ends. Default: it ends with the last record. */
  readonly before?: string | undefined
}

/** News of a set of records. */
export type RecordEvent =
  | {
      readonly kind: 'put'
      readonly key: string
      readonly value: unknown
      readonly revision: Revision
    }
  | { readonly kind: 'removed'; readonly key: string; readonly revision: Revision }
  /** The history was cut since. Nothing follows: get the newest revision, scan, and follow since that revision. */
  | { readonly kind: 'cut' }

/** Whether both are the same position. */
export function isSameRevision(one: Revision | null, other: Revision | null): boolean {
  return one?.epoch === other?.epoch && one?.sequence === other?.sequence
}

/** The range of the records whose keys begin with a prefix, such as `account/`. */
export function rangeOf(prefix: string): RecordRange {
  // No text has a higher character.
  return { from: prefix, before: `${prefix}\u{10ffff}` }
}
