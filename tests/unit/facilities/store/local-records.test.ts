import test, { type Test } from 'brittle'
import sinon from 'sinon'
import type { DurableStore } from '../../../../facilities/store/durable-store.js'
import type { LocalRecords } from '../../../../facilities/store/local-records.js'
import type { Entry, RecordRange } from '../../../../helpers/store/record.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import {
  DurableMemory,
  durableMemoryStore,
  openMemoryStore,
} from '../../../helpers/storage/durable-memory.js'
import { createRecords, insert, put, valueAt } from '../../../helpers/storage/local-records.js'
import { settle, until } from '../../../helpers/until.js'

function openRecords(
  t: Test,
  memory = new DurableMemory(),
): {
  memory: DurableMemory
  clock: VirtualClock
  store: DurableStore
  records: LocalRecords
} {
  const clock = new VirtualClock()
  const store = durableMemoryStore(memory, clock)
  const records = createRecords(store)
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  return { memory, clock, store, records }
}

/** Holds every sync until it is released. */
function holdSync(memory: DurableMemory): { sync: sinon.SinonStub; release: () => void } {
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  return { sync: sinon.stub(memory, 'sync').returns(held), release }
}

async function entries(records: LocalRecords, range: RecordRange = {}, limit?: number) {
  const found: Entry[] = []
  const options = limit === undefined ? {} : { limit }
  for await (const entry of records.scan(range, options)) found.push(entry)
  return found
}

async function keys(records: LocalRecords, range: RecordRange = {}, limit?: number) {
  return (await entries(records, range, limit)).map(({ key }) => key)
}

test('should return what was stored', async (t) => {
  const { records } = openRecords(t)
  t.is(await records.get('tom'), undefined)
  t.ok(await insert(records, 'tom', { owner: 'ada' }))
  t.alike(await valueAt(records, 'tom'), { owner: 'ada' })
  t.is(await records.get('to'), undefined)
})

test('should replace and remove records', async (t) => {
  const { records } = openRecords(t)
  const first = await put(records, 'tom', 1)
  const second = await put(records, 'tom', 2)
  t.alike(await records.get('tom'), { key: 'tom', value: 2, revision: Object(second).revision })
  t.ok(Object(second).revision.sequence > Object(first).revision.sequence)
  await records.batch({ changes: [{ kind: 'remove', key: 'tom' }] })
  t.is(await records.get('tom'), undefined)
  const { revision } = Object(await records.batch({ changes: [{ kind: 'remove', key: 'tom' }] }))
  t.alike(revision, await records.revision(), 'nothing changes')
})

test('should return the records of a range in the order of their keys', async (t) => {
  const { records } = openRecords(t)
  for (const key of ['b/2', 'a', 'b/10', 'c', 'b/1', 'ä']) await put(records, key, key)
  t.alike(await keys(records), ['a', 'b/1', 'b/10', 'b/2', 'c', 'ä'])
  t.alike(await keys(records, { from: 'b/', before: 'b0' }), ['b/1', 'b/10', 'b/2'])
  t.alike(await keys(records, { from: 'b/10' }, 2), ['b/10', 'b/2'])
  t.alike(await keys(records, { before: 'b/1' }), ['a'])
  t.alike(await keys(records, {}, 0), [])
})

test('should return every record of a large range once', async (t) => {
  const { records } = openRecords(t)
  const expected = Array.from({ length: 600 }, (_, index) => `key-${1_000 + index}`)
  await records.batch({ changes: expected.map((key) => ({ kind: 'put', key, value: key })) })
  t.alike(await keys(records), expected)
  t.is((await keys(records, {}, 300)).length, 300)
  t.is((await keys(records, {}, 256)).length, 256)
})

test('should make a batch only if all of its conditions hold', async (t) => {
  const { records } = openRecords(t)
  await put(records, 'tom', 1)
  const tom = await records.get('tom')
  const changes = [
    { kind: 'put', key: 'tom', value: 2 },
    { kind: 'put', key: 'kit', value: 2 },
  ] as const
  const stale = { key: 'tom', revision: { epoch: 0, sequence: 0 } }
  const refused = [
    [{ key: 'tom', revision: null }],
    [stale],
    [
      { key: 'tom', revision: tom?.revision ?? null },
      { key: 'kit', revision: stale.revision },
    ],
  ]
  for (const conditions of refused) {
    const result = await records.batch({ conditions, changes })
    t.absent(result.committed)
    t.alike(Object(result).conflicts, [conditions.at(-1)?.key])
  }
  t.is(await valueAt(records, 'tom'), 1)
  t.is(await valueAt(records, 'kit'), undefined)
  const conditions = [
    { key: 'tom', revision: tom?.revision ?? null },
    { key: 'kit', revision: null },
  ]
  t.ok((await records.batch({ conditions, changes })).committed)
  t.is(await valueAt(records, 'tom'), 2)
  t.is(await valueAt(records, 'kit'), 2)
})

test('should let exactly one succeed when one key is inserted many times at once', async (t) => {
  const { records } = openRecords(t)
  const owners = Array.from({ length: 50 }, (_, index) => `owner-${index}`)
  const won = await Promise.all(owners.map((owner) => insert(records, 'tom', owner)))
  t.is(won.filter(Boolean).length, 1)
  t.is(await valueAt(records, 'tom'), owners[won.indexOf(true)])
})

test('should check each batch against those before it when they are written together', async (t) => {
  const { memory, records } = openRecords(t)
  await insert(records, 'tom', 'ada')
  const { sync, release } = holdSync(memory)
  const held = insert(records, 'max', 'ada')
  await until('a sync was asked for', () => sync.callCount > 0)
  // All of these wait for the sync, and then share the next one.
  const together = ['tom', 'kit', 'kit', 'sam'].map((key) => insert(records, key, 'bob'))
  together.push(insert(records, 'sam', 'cleo'))
  await settle()
  release()
  t.ok(await held)
  t.alike(await Promise.all(together), [false, true, false, true, false])
  t.is(sync.callCount, 2)
  t.is(await valueAt(records, 'tom'), 'ada')
  t.is(await valueAt(records, 'sam'), 'bob')
})

test('should answer and show only what is on disk', async (t) => {
  const { memory, records } = openRecords(t)
  await records.ready()
  const { sync, release } = holdSync(memory)
  const before = await records.revision()
  let answers = 0
  const inserts = ['tom', 'kit', 'tom'].map((key, index) =>
    insert(records, key, index).finally(() => {
      answers += 1
    }),
  )
  await until('a sync was asked for', () => sync.callCount > 0)
  await settle()
  t.is(answers, 0, 'neither that it is stored nor that the key is taken')
  t.is(await valueAt(records, 'tom'), undefined)
  t.alike(await keys(records), [])
  t.alike(await records.revision(), before)
  release()
  t.alike(await Promise.all(inserts), [true, true, false])
  t.alike(await keys(records), ['kit', 'tom'])
})

test('should share syncs when 64 write at once', async (t) => {
  const { memory, records } = openRecords(t)
  await records.ready()
  const before = memory.store.flushes
  const cats = Array.from({ length: 64 }, (_, index) => `cat-${index}`)
  const won = await Promise.all(cats.map((key) => insert(records, key, key)))
  t.ok(won.every(Boolean))
  const syncs = memory.store.flushes - before
  t.ok(syncs >= 1 && syncs <= 3, `${syncs} syncs`)
  for (const key of cats) t.is(await valueAt(records, key), key)
})

test('should not sync when nothing is changed', async (t) => {
  const { memory, records } = openRecords(t)
  await insert(records, 'tom', 'ada')
  const before = memory.store.flushes
  await insert(records, 'tom', 'bob')
  await records.batch({ changes: [] })
  await records.batch({ changes: [{ kind: 'remove', key: 'kit' }] })
  t.is(memory.store.flushes, before)
})

test('should find the records and their revisions when the store is opened again', async (t) => {
  const memory = new DurableMemory()
  const first = durableMemoryStore(memory)
  const before = createRecords(first)
  await insert(before, 'tom', 'ada')
  const entry = await before.get('tom')
  await before.close()
  await first.close()

  const { records } = openRecords(t, memory)
  t.alike(await records.get('tom'), entry)
  t.absent(await insert(records, 'tom', 'bob'))
})

test('should keep several sets of records of one store apart', async (t) => {
  const memory = new DurableMemory()
  const names = Array.from({ length: 40 }, (_, index) => `set-${index}`)
  for (const value of ['first', 'second']) {
    const store = await openMemoryStore(memory)
    const sets = names.map((name) => createRecords(store, name))
    await Promise.all(sets.map((records, index) => put(records, value, index)))
    for (const [index, records] of sets.entries()) t.is(await valueAt(records, 'first'), index)
    await Promise.all(sets.map((records) => records.close()))
    await store.close()
  }
})

test('should write nothing more when a sync has failed', async (t) => {
  const { memory, records } = openRecords(t)
  await insert(records, 'tom', 'ada')
  sinon.stub(memory, 'sync').onFirstCall().rejects(new Error('EIO'))
  const failed = await Promise.allSettled(
    ['kit', 'sam', 'max'].map((key) => insert(records, key, 1)),
  )
  for (const outcome of failed) {
    t.is(outcome.status === 'rejected' && outcome.reason.code, 'DISK_FAILED')
  }
  const written = memory.store.entries.size
  await t.exception(insert(records, 'zoe', 'bob'), { code: 'DISK_FAILED' })
  t.is(memory.store.entries.size, written)
  t.is(await valueAt(records, 'tom'), 'ada')
  t.is(await valueAt(records, 'kit'), undefined, 'it is not known to be on disk')
})

test('should finish what was accepted when it is closed', async (t) => {
  const { memory, store, records } = openRecords(t)
  await records.ready()
  const { sync, release } = holdSync(memory)
  const first = insert(records, 'tom', 'ada')
  await until('a sync was asked for', () => sync.callCount > 0)
  const second = insert(records, 'kit', 'bob')
  // Lets the second be accepted.
  await settle()
  const closed = records.close()
  await t.exception(insert(records, 'sam', 'cleo'), { code: 'DRAINING' })
  release()
  t.alike(await Promise.all([first, second]), [true, true])
  await closed
  t.absent(store.closed)
  await t.exception(records.get('tom'), { code: 'DRAINING' })
})

test('should have every acknowledged record when the power was cut at any moment', async (t) => {
  const memory = new DurableMemory()
  const store = durableMemoryStore(memory)
  const records = createRecords(store)
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  await records.ready()
  const acknowledged: string[] = []
  const cuts: { disk: DurableMemory; acknowledged: readonly string[] }[] = []
  const cut = () => cuts.push({ disk: memory.afterPowerCut(), acknowledged: [...acknowledged] })
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let count = 0; count < 5; count += 1) {
      const key = `cat-${writer}-${count}`
      await insert(records, key, 'ada')
      acknowledged.push(key)
      cut()
      await settle(1)
      cut()
    }
  })
  await Promise.all(writers)

  for (const { disk, acknowledged: promised } of cuts) {
    const after = await openMemoryStore(disk)
    const found = createRecords(after)
    await found.ready()
    for (const key of promised) {
      if ((await found.get(key)) === undefined) t.fail(`${key} is lost`)
    }
    await found.close()
    await after.close()
  }
  t.is(acknowledged.length, 20)
})
