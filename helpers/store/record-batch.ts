import { StarlingError } from '../errors/starling-error.js'
import type { RecordChange, RecordCondition, Revision } from './record.js'

/** A key is mostly an e-mail address, which has at most 254 characters. */
export const MAX_RECORD_KEY_BYTES = 512
/** One record, as JSON. */
export const MAX_RECORD_VALUE_BYTES = 65_536
/** Changes, and also conditions, of one batch. */
export const MAX_RECORD_BATCH_CHANGES = 2_048
/** All keys and values of one batch. */
export const MAX_RECORD_BATCH_BYTES = 1_048_576

/** Keys that begin with it are not for users of the records. */
export const RESERVED = '\0'

/** Changes that are made together or not at all. */
export interface RecordBatch {
  /** All of them have to hold. Default: none. */
  readonly conditions?: readonly RecordCondition[]
  /** In this order. No key twice. */
  readonly changes: readonly RecordChange[]
}

/** The outcome of a batch. */
export type BatchResult =
  /** `revision`: at which the last change was made; the newest one if nothing was changed. */
  | { readonly committed: true; readonly revision: Revision }
  /** Nothing was changed. `conflicts`: the keys whose conditions do not hold. */
  | { readonly committed: false; readonly conflicts: readonly string[] }

/** A batch that was checked, with its values as text. */
export interface EncodedBatch {
  readonly conditions: readonly RecordCondition[]
  /** `text`: the value as JSON; null removes the record. */
  readonly changes: readonly { readonly key: string; readonly text: string | null }[]
  readonly sizeBytes: number
}

/**
 * Checks a batch and takes a copy of its values.
 *
 * @param name of the records, for messages, which contain no keys: those may be e-mail addresses
 * @throws StarlingError PAYLOAD_TOO_LARGE; INVALID_REQUEST if a key is empty, reserved, twice in it or not
 *   well-formed, or a value is null or not JSON
 */
export function encodeBatch(name: string, { conditions = [], changes }: RecordBatch): EncodedBatch {
  const count = Math.max(conditions.length, changes.length)
  assertAtMost(count, MAX_RECORD_BATCH_CHANGES, `A batch of ${name}`, 'changes or conditions')
  const encoded = changes.map((change) => ({
    key: change.key,
    text: change.kind === 'put' ? encodeValue(name, change.value) : null,
  }))
  for (const { key } of [...conditions, ...changes]) assertKey(name, key)
  if (new Set(changes.map(({ key }) => key)).size !== changes.length) {
    throw new StarlingError('INVALID_REQUEST', `A batch of ${name} changes one record twice`)
  }
  const sizeBytes = encoded.reduce((sum, { key, text }) => sum + bytesOf(key) + bytesOf(text), 0)
  assertAtMost(sizeBytes, MAX_RECORD_BATCH_BYTES, `A batch of ${name}`, 'bytes')
  return { conditions, changes: encoded, sizeBytes }
}

/** @throws StarlingError PAYLOAD_TOO_LARGE, INVALID_REQUEST */
export function assertKey(name: string, key: string): void {
  // An unpaired surrogate has no UTF-8 form, so two keys would become one.
  if (key === '' || key.startsWith(RESERVED) || /\p{Surrogate}/u.test(key)) {
    const why = 'is empty, reserved or not well-formed Unicode'
    throw new StarlingError('INVALID_REQUEST', `A key of ${name} ${why}`)
  }
  assertAtMost(bytesOf(key), MAX_RECORD_KEY_BYTES, `A key of ${name}`, 'bytes')
}

function encodeValue(name: string, value: unknown): string {
  const text: unknown = JSON.stringify(value)
  if (typeof text !== 'string' || text === 'null') {
    throw new StarlingError('INVALID_REQUEST', `A record of ${name} is null or not JSON`)
  }
  assertAtMost(bytesOf(text), MAX_RECORD_VALUE_BYTES, `A record of ${name}`, 'bytes')
  return text
}

function bytesOf(text: string | null): number {
  return text === null ? 0 : Buffer.byteLength(text)
}

function assertAtMost(count: number, limit: number, what: string, unit: string): void {
  if (count <= limit) return
  throw new StarlingError(
    'PAYLOAD_TOO_LARGE',
    `${what} has ${count} ${unit}; the limit is ${limit}`,
  )
}
