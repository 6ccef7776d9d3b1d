import { SystemRandom } from '../../../facilities/clock/random.js'
import type { DurableStore } from '../../../facilities/store/durable-store.js'
import { LocalRecords } from '../../../facilities/store/local-records.js'
import type { Records } from '../../../facilities/store/records.js'
import type { BatchResult } from '../../../helpers/store/record-batch.js'

const random = new SystemRandom()

/** Records in a store. The caller closes them. */
export function createRecords(
  store: DurableStore,
  name = 'cats',
  options: { readonly minHistoryBlocks?: number } = {},
): LocalRecords {
  return new LocalRecords({ store, name, random, ...options })
}

/** Stores a record unless its key is taken. @returns whether it was stored */
export async function insert(records: Records, key: string, value: unknown): Promise<boolean> {
  const conditions = [{ key, revision: null }]
  return (await records.batch({ conditions, changes: [{ kind: 'put', key, value }] })).committed
}

/** The value of a record; undefined if there is none. */
export async function valueAt(records: Records, key: string): Promise<unknown> {
  return (await records.get(key))?.value
}

/** Stores a record, or replaces it. */
export async function put(records: Records, key: string, value: unknown): Promise<BatchResult> {
  return await records.batch({ changes: [{ kind: 'put', key, value }] })
}
