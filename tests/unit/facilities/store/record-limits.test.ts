import test, { type Test } from 'brittle'
import Hyperbee from 'hyperbee'
import sinon from 'sinon'
import {
  type LocalRecords,
  MAX_WAITING_BATCHES,
  MAX_WAITING_BYTES,
} from '../../../../facilities/store/local-records.js'
import type { RecordRange } from '../../../../helpers/store/record.js'
import {
  MAX_RECORD_BATCH_BYTES,
  MAX_RECORD_BATCH_CHANGES,
  MAX_RECORD_KEY_BYTES,
  MAX_RECORD_VALUE_BYTES,
} from '../../../../helpers/store/record-batch.js'
import { DurableMemory, durableMemoryStore } from '../../../helpers/storage/durable-memory.js'
import { createRecords, insert, put, valueAt } from '../../../helpers/storage/local-records.js'
import { until } from '../../../helpers/until.js'

function openRecords(t: Test) {
  const memory = new DurableMemory()
  const store = durableMemoryStore(memory)
  const records = createRecords(store)
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  return { memory, store, records }
}

/** Holds every sync until it is released. */
function holdSync(memory: DurableMemory): { sync: sinon.SinonStub; release: () => void } {
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  return { sync: sinon.stub(memory, 'sync').returns(held), release }
}

async function keys(records: LocalRecords, range: RecordRange = {}): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of records.scan(range)) found.push(key)
  return found
}

test('should refuse when too many batches or too many bytes wait for the disk', async (t) => {
  const { memory, records } = openRecords(t)
  await records.ready()
  const { sync, release } = holdSync(memory)
  const accepted = [insert(records, 'first', 'ada')]
  await until('a sync was asked for', () => sync.callCount > 0)
  for (let index = 0; index < MAX_WAITING_BATCHES; index++) {
    accepted.push(insert(records, 'tom', 'ada'))
  }
  await t.exception(insert(records, 'one too many', 'ada'), {
    code: 'OVERLOADED',
    retryAfterMs: undefined,
  })
  release()
  t.is((await Promise.all(accepted)).filter(Boolean).length, 2)
})

test('should refuse when the waiting batches are too large together', async (t) => {
  const { memory, records } = openRecords(t)
  await records.ready()
  const { sync, release } = holdSync(memory)
  const accepted = [put(records, 'first', 'ada')]
  await until('a sync was asked for', () => sync.callCount > 0)
  const value = 'x'.repeat(60_000)
  const changes = Array.from({ length: 15 }, (_, index) => {
    return { kind: 'put', key: `key-${index}`, value } as const
  })
  const fitting = Math.floor(MAX_WAITING_BYTES / (15 * 60_100))
  for (let index = 0; index < fitting; index += 1) accepted.push(records.batch({ changes }))
  await t.exception(records.batch({ changes }), { code: 'OVERLOADED' })
  release()
  await Promise.all(accepted)
})

test('should refuse keys, values and batches that are too large', async (t) => {
  const { records } = openRecords(t)
  const tooLarge = { code: 'PAYLOAD_TOO_LARGE' }
  await t.exception(put(records, 'ä'.repeat(MAX_RECORD_KEY_BYTES / 2 + 1), 1), tooLarge)
  await t.exception(records.get('x'.repeat(MAX_RECORD_KEY_BYTES + 1)), tooLarge)
  await t.exception(put(records, 'tom', 'x'.repeat(MAX_RECORD_VALUE_BYTES)), tooLarge)
  const many = (count: number, value: unknown) =>
    Array.from({ length: count }, (_, index) => ({ kind: 'put', key: `${index}`, value }) as const)
  await t.exception(records.batch({ changes: many(MAX_RECORD_BATCH_CHANGES + 1, 1) }), tooLarge)
  const value = 'x'.repeat(MAX_RECORD_VALUE_BYTES - 100)
  const count = Math.ceil(MAX_RECORD_BATCH_BYTES / MAX_RECORD_VALUE_BYTES) + 1
  await t.exception(records.batch({ changes: many(count, value) }), tooLarge)
  t.alike(await keys(records), [])
})

test('should refuse what cannot be a record', async (t) => {
  const { records } = openRecords(t)
  const invalid = { code: 'INVALID_REQUEST' }
  for (const value of [null, undefined, () => 1]) {
    await t.exception(put(records, 'tom', value), invalid)
  }
  for (const key of ['', '\0complete', 'a\ud800']) {
    await t.exception(put(records, key, 1), invalid)
    await t.exception(records.get(key), invalid)
  }
  const twice = { kind: 'put', key: 'tom', value: 1 } as const
  await t.exception(records.batch({ changes: [twice, twice] }), invalid)
  t.alike(await keys(records), [])
  t.alike(await keys(records, { from: '\0' }), [], 'what is not for users is not shown either')
})

test('should keep its own copy when the caller changes a value', async (t) => {
  const { records } = openRecords(t)
  const value = { owner: 'ada' }
  const stored = put(records, 'tom', value)
  value.owner = 'bob'
  await stored
  t.alike(await valueAt(records, 'tom'), { owner: 'ada' })
})

test('should say that a record is damaged without showing it', async (t) => {
  const { store, records } = openRecords(t)
  await insert(records, 'tom', 'ada')
  const core = await store.openCore('cats')
  if (core === undefined) throw new Error('There is no such core')
  const bee = new Hyperbee(core, { keyEncoding: 'utf-8', valueEncoding: 'utf-8' })
  await bee.put('kit@example.com', '{"passwordHash":"secret')
  await bee.close()
  // Makes it durable.
  await insert(records, 'max', 'ada')
  try {
    await records.get('kit@example.com')
    t.fail('the record was given')
  } catch (error) {
    t.is(error instanceof Error && 'code' in error && error.code, 'INTERNAL')
    t.absent(/secret|kit@/.test(String(error)))
  }
})
