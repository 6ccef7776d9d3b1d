import test, { type Test } from 'brittle'
import Hyperbee from 'hyperbee'
import sinon from 'sinon'
import { z } from 'zod'
import { DurableRecords, RECORD_LIMITS } from '../../../../facilities/store/durable-records.js'
import type { DurableStore } from '../../../../facilities/store/durable-store.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import {
  DurableMemory,
  durableMemoryStore,
  openMemoryStore,
} from '../../../helpers/storage/durable-memory.js'
import { settle, until } from '../../../helpers/until.js'

const schema = z.strictObject({ owner: z.string() })
type Cat = z.infer<typeof schema>

function openRecords(
  t: Test,
  memory = new DurableMemory(),
): {
  memory: DurableMemory
  clock: VirtualClock
  store: DurableStore
  records: DurableRecords<Cat>
} {
  const clock = new VirtualClock()
  const store = durableMemoryStore(memory, clock)
  const records = new DurableRecords(store, 'cats', schema)
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

test('should give what was inserted when it is asked for', async (t) => {
  const { records } = openRecords(t)
  t.is(await records.get('tom'), undefined)
  t.ok(await records.insert('tom', { owner: 'ada' }))
  t.alike(await records.get('tom'), { owner: 'ada' })
  t.is(await records.get('to'), undefined)
})

test('should keep the first value when a key is taken', async (t) => {
  const { records } = openRecords(t)
  await records.insert('tom', { owner: 'ada' })
  t.absent(await records.insert('tom', { owner: 'bob' }))
  t.alike(await records.get('tom'), { owner: 'ada' })
})

test('should let exactly one win when one key is inserted many times at once', async (t) => {
  const { records } = openRecords(t)
  const owners = Array.from({ length: 50 }, (_, index) => `owner-${index}`)
  const won = await Promise.all(owners.map((owner) => records.insert('tom', { owner })))
  t.is(won.filter(Boolean).length, 1)
  t.alike(await records.get('tom'), { owner: owners[won.indexOf(true)] })
})

test('should decide between keys when they are written together', async (t) => {
  const { memory, records } = openRecords(t)
  await records.insert('tom', { owner: 'ada' })
  const { sync, release } = holdSync(memory)
  const held = records.insert('max', { owner: 'ada' })
  await until('a sync was asked for', () => sync.callCount > 0)
  // All of these wait for the sync, and then share the next one.
  const together = ['tom', 'kit', 'kit', 'sam'].map((key) => records.insert(key, { owner: 'bob' }))
  together.push(records.insert('sam', { owner: 'cleo' }))
  await settle()
  release()
  t.ok(await held)
  t.alike(await Promise.all(together), [false, true, false, true, false])
  t.is(sync.callCount, 2)
  t.alike(await records.get('tom'), { owner: 'ada' })
  t.alike(await records.get('sam'), { owner: 'bob' })
})

test('should acknowledge only when it is on disk', async (t) => {
  const { memory, records } = openRecords(t)
  await records.ready()
  const { sync, release } = holdSync(memory)
  let acknowledged = 0
  const inserts = [records.insert('tom', { owner: 'ada' }), records.insert('kit', { owner: 'bob' })]
  const counted = inserts.map(async (insert) => {
    await insert
    acknowledged += 1
  })
  await until('a sync was asked for', () => sync.callCount > 0)
  await settle()
  t.is(acknowledged, 0)
  release()
  t.alike(await Promise.all(inserts), [true, true])
  await Promise.all(counted)
  t.is(acknowledged, 2)
})

test('should answer that a key is taken only when its record is on disk', async (t) => {
  const { memory, records } = openRecords(t)
  await records.ready()
  const { sync, release } = holdSync(memory)
  const first = records.insert('tom', { owner: 'ada' })
  let answered = false
  const second = records.insert('tom', { owner: 'bob' }).finally(() => {
    answered = true
  })
  await until('a sync was asked for', () => sync.callCount > 0)
  await settle()
  t.absent(answered)
  release()
  t.alike(await Promise.all([first, second]), [true, false])
})

test('should share syncs when 64 write at once', async (t) => {
  const memory = new DurableMemory()
  const { records } = openRecords(t, memory)
  await records.ready()
  const before = memory.store.flushes
  const keys = Array.from({ length: 64 }, (_, index) => `cat-${index}`)
  const won = await Promise.all(keys.map((key) => records.insert(key, { owner: key })))
  t.ok(won.every(Boolean))
  t.ok(
    memory.store.flushes - before >= 1 && memory.store.flushes - before <= 3,
    `${memory.store.flushes} syncs`,
  )
  for (const key of keys) t.is((await records.get(key))?.owner, key)
})

test('should not sync when every key was taken', async (t) => {
  const memory = new DurableMemory()
  const { records } = openRecords(t, memory)
  await records.insert('tom', { owner: 'ada' })
  const before = memory.store.flushes
  await records.insert('tom', { owner: 'bob' })
  t.is(memory.store.flushes, before)
})

test('should find the records when the store is opened again', async (t) => {
  const memory = new DurableMemory()
  const first = durableMemoryStore(memory)
  const before = new DurableRecords(first, 'cats', schema)
  await before.insert('tom', { owner: 'ada' })
  await before.close()
  await first.close()

  const { records } = openRecords(t, memory)
  t.alike(await records.get('tom'), { owner: 'ada' })
  t.absent(await records.insert('tom', { owner: 'bob' }))
})

test('should write nothing more when a sync has failed', async (t) => {
  const { memory, store, records } = openRecords(t)
  await records.insert('tom', { owner: 'ada' })
  sinon.stub(memory, 'sync').onFirstCall().rejects(new Error('EIO'))
  const core = store.corestore.get({ name: 'cats' })
  await core.ready()
  t.teardown(() => core.close(), { order: -2 })

  const failed = await Promise.allSettled(
    ['kit', 'sam', 'max'].map((key) => records.insert(key, { owner: 'bob' })),
  )
  for (const outcome of failed) {
    t.is(outcome.status === 'rejected' && outcome.reason.code, 'DISK_FAILED')
  }
  const lengthAfterFailure = core.length
  await t.exception(records.insert('zoe', { owner: 'bob' }), { code: 'DISK_FAILED' })
  t.is(core.length, lengthAfterFailure)
  t.alike(await records.get('tom'), { owner: 'ada' })
})

test('should refuse when too many wait for the disk', async (t) => {
  const { memory, records } = openRecords(t)
  await records.ready()
  const { sync, release } = holdSync(memory)
  const accepted = [records.insert('first', { owner: 'ada' })]
  await until('a sync was asked for', () => sync.callCount > 0)
  for (let index = 0; index < RECORD_LIMITS.waitingInserts; index++) {
    accepted.push(records.insert('tom', { owner: 'ada' }))
  }
  await t.exception(records.insert('one too many', { owner: 'ada' }), {
    code: 'OVERLOADED',
    retryAfterMs: undefined,
  })
  release()
  t.is((await Promise.all(accepted)).filter(Boolean).length, 2)
})

test('should refuse when a key or a value is too large', async (t) => {
  const { records } = openRecords(t)
  const longKey = 'ä'.repeat(RECORD_LIMITS.keyBytes / 2 + 1)
  await t.exception(records.insert(longKey, { owner: 'ada' }), { code: 'PAYLOAD_TOO_LARGE' })
  const owner = 'x'.repeat(RECORD_LIMITS.valueBytes)
  await t.exception(records.insert('tom', { owner }), { code: 'PAYLOAD_TOO_LARGE' })
  t.is(await records.get('tom'), undefined)
})

test('should refuse a value when it is not what the schema asks for', async (t) => {
  const { store, records } = openRecords(t)
  const wrong: Cat & { tail: boolean } = { owner: 'ada', tail: true }
  await t.exception(records.insert('tom', wrong), /tail/)
  t.is(await records.get('tom'), undefined)

  const bee = new Hyperbee(store.corestore.get({ name: 'cats' }), {
    keyEncoding: 'utf-8',
    valueEncoding: 'json',
  })
  await bee.put('kit@example.com', { passwordHash: 'secret' })
  await bee.close()
  try {
    await records.get('kit@example.com')
    t.fail('the record was given')
  } catch (error) {
    t.is(error instanceof Error && 'code' in error && error.code, 'INTERNAL')
    t.absent(/secret|kit@/.test(String(error)))
  }
})

test('should finish what was accepted when it is closed', async (t) => {
  const { memory, store, records } = openRecords(t)
  await records.ready()
  const { sync, release } = holdSync(memory)
  const first = records.insert('tom', { owner: 'ada' })
  await until('a sync was asked for', () => sync.callCount > 0)
  const second = records.insert('kit', { owner: 'bob' })
  // Lets the second be accepted.
  await settle()
  const closed = records.close()
  await t.exception(records.insert('sam', { owner: 'cleo' }), { code: 'DRAINING' })
  release()
  t.alike(await Promise.all([first, second]), [true, true])
  await closed
  t.absent(store.closed)
})

test('should have every acknowledged record when the power was cut at any moment', async (t) => {
  const memory = new DurableMemory()
  const store = durableMemoryStore(memory)
  const records = new DurableRecords(store, 'cats', schema)
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  await records.ready()
  const acknowledged: string[] = []
  const cuts: { disk: DurableMemory; acknowledged: readonly string[] }[] = []
  const cut = () => cuts.push({ disk: memory.afterPowerCut(), acknowledged: [...acknowledged] })
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let count = 0; count < 5; count += 1) {
      const key = `cat-${writer}-${count}`
      await records.insert(key, { owner: 'ada' })
      acknowledged.push(key)
      cut()
      await settle(1)
      cut()
    }
  })
  await Promise.all(writers)

  for (const { disk, acknowledged: promised } of cuts) {
    const after = await openMemoryStore(disk)
    const found = new DurableRecords(after, 'cats', schema)
    await found.ready()
    for (const key of promised) {
      if ((await found.get(key)) === undefined) t.fail(`${key} is lost`)
    }
    await found.close()
    await after.close()
  }
  t.is(acknowledged.length, 20)
})
