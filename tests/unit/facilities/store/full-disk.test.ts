import test, { type Test } from 'brittle'
import { STORE_WATCH_INTERVAL_MS } from '../../../../facilities/store/durable-store.js'
import type { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import {
  DurableMemory,
  durableMemoryStore,
  openMemoryStore,
} from '../../../helpers/storage/durable-memory.js'
import { createRecords, insert, valueAt } from '../../../helpers/storage/local-records.js'
import { settle, until } from '../../../helpers/until.js'

/** What the operating system says of a disk in such a state. */
function diskError(code: 'ENOSPC' | 'EDQUOT' | 'EROFS' | 'EIO'): Error {
  return Object.assign(new Error(`${code}: write`), { code })
}

/** A store that is open, and what it says of itself. */
async function scene(t: Test) {
  const memory = new DurableMemory().verified()
  const clock = new VirtualClock()
  const store = durableMemoryStore(memory, clock)
  const records = createRecords(store)
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  const events: string[] = []
  store.on('failed', (error: StarlingError) => events.push(error.code))
  store.on('recovered', () => events.push('recovered'))
  await insert(records, 'tom', 'ada')
  return { memory, clock, store, records, events }
}

test('should refuse to write and go on reading when the disk is full', async (t) => {
  const { memory, records, events } = await scene(t)
  memory.fail(diskError('ENOSPC'))
  const refusal = { code: 'DISK_FULL', retryable: true, retryAfterMs: STORE_WATCH_INTERVAL_MS }
  for (const key of ['kit', 'sam', 'max', 'kit']) {
    await t.exception(insert(records, key, 'bob'), refusal)
  }
  t.is(await valueAt(records, 'tom'), 'ada')
  t.is(records.failure?.code, 'DISK_FULL')
  t.ok(records.failure?.message.includes(memory.place.store), 'names what is full')
  t.alike(events, ['DISK_FULL'], 'says so once')
})

test('should write again by itself when there is room', async (t) => {
  const { memory, clock, records, events } = await scene(t)
  memory.fail(diskError('ENOSPC'))
  await t.exception(insert(records, 'kit', 'bob'), { code: 'DISK_FULL' })
  await clock.advance(5 * STORE_WATCH_INTERVAL_MS)
  t.is(memory.openings, 1, 'left as it is while there is none')
  await t.exception(insert(records, 'kit', 'bob'), { code: 'DISK_FULL' })

  memory.fail(null)
  await clock.advance(STORE_WATCH_INTERVAL_MS)
  await until('the store to be opened anew', () => records.failure === null)
  t.is(memory.openings, 2)
  t.ok(await insert(records, 'max', 'cleo'))
  t.is(await valueAt(records, 'tom'), 'ada')
  t.alike(events, ['DISK_FULL', 'recovered'])
})

test('should distinguish a full disk from one that is read-only or failing', async (t) => {
  for (const code of ['EDQUOT', 'EROFS', 'EIO'] as const) {
    const { memory, clock, records, events } = await scene(t)
    memory.fail(diskError(code))
    const expected = code === 'EDQUOT' ? 'DISK_FULL' : 'DISK_FAILED'
    await t.exception(insert(records, 'kit', 'bob'), { code: expected, retryable: true })
    memory.fail(null)
    await clock.advance(STORE_WATCH_INTERVAL_MS)
    await until('the store to be opened anew', () => records.failure === null)
    t.alike(events, [expected, 'recovered'])
  }
})

test('should say so again when the reason becomes another one', async (t) => {
  const { memory, clock, records, events } = await scene(t)
  memory.fail(diskError('ENOSPC'))
  await t.exception(insert(records, 'kit', 'bob'), { code: 'DISK_FULL' })
  memory.fail(diskError('EROFS'))
  await clock.advance(STORE_WATCH_INTERVAL_MS)
  t.alike(events, ['DISK_FULL', 'DISK_FAILED'])
  await t.exception(insert(records, 'kit', 'bob'), { code: 'DISK_FAILED' })
})

test('should try again when the store could not be opened though there seemed to be room', async (t) => {
  const { memory, clock, records, events } = await scene(t)
  memory.fail(diskError('ENOSPC'))
  await t.exception(insert(records, 'kit', 'bob'), { code: 'DISK_FULL' })
  memory.pretendRoom()
  await clock.advance(STORE_WATCH_INTERVAL_MS)
  await until('another opening', () => memory.openings === 2)
  await settle()
  await t.exception(valueAt(records, 'tom'), { code: 'DISK_FULL' })
  await t.exception(insert(records, 'kit', 'bob'), { code: 'DISK_FULL' })

  memory.fail(null)
  await clock.advance(STORE_WATCH_INTERVAL_MS)
  await until('the store to be opened anew', () => records.failure === null)
  t.is(await valueAt(records, 'tom'), 'ada')
  t.ok(await insert(records, 'kit', 'bob'))
  t.alike(events, ['DISK_FULL', 'recovered'])
})

test('should serve nothing more when what is on the disk is less than was acknowledged', async (t) => {
  const { memory, clock, records, events } = await scene(t)
  const old = memory.copy()
  await insert(records, 'kit', 'bob')
  memory.fail(diskError('EIO'))
  await t.exception(insert(records, 'sam', 'bob'), { code: 'DISK_FAILED' })
  memory.store.entries.clear()
  for (const [key, value] of old.store.entries) memory.store.entries.set(key, value)
  memory.fail(null)
  await clock.advance(STORE_WATCH_INTERVAL_MS)
  await until('the store to be refused', () => records.failure?.code === 'STORE_DAMAGED')
  await settle()
  await t.exception(valueAt(records, 'tom'), { code: 'STORE_DAMAGED' })
  await t.exception(insert(records, 'sam', 'bob'), { code: 'STORE_DAMAGED' })
  const { openings } = memory
  await clock.advance(10 * STORE_WATCH_INTERVAL_MS)
  t.is(memory.openings, openings, 'it is not tried again')
  t.alike(events, ['DISK_FAILED', 'STORE_DAMAGED'])
})

test('should have everything that it acknowledged before, between and after full disks', async (t) => {
  const { memory, clock, records } = await scene(t)
  const acknowledged = ['tom']
  for (let round = 0; round < 5; round += 1) {
    const inserts = Array.from({ length: 20 }, async (_, index) => {
      const key = `cat-${round}-${index}`
      if (index === 10) memory.fail(diskError('ENOSPC'))
      try {
        if (await insert(records, key, 'ada')) acknowledged.push(key)
      } catch (error) {
        if (Object(error).code !== 'DISK_FULL') throw error
      }
      await settle(round)
    })
    await Promise.all(inserts)
    memory.fail(null)
    await clock.advance(STORE_WATCH_INTERVAL_MS)
    await until('the store to write again', () => records.failure === null)
    await insert(records, `after-${round}`, 'ada')
    acknowledged.push(`after-${round}`)
  }
  const cut = memory.afterPowerCut()
  const after = await openMemoryStore(cut)
  const found = createRecords(after)
  t.teardown(() => after.close(), { order: -4 })
  t.teardown(() => found.close(), { order: -5 })
  for (const key of acknowledged) t.is(await valueAt(found, key), 'ada', key)
})

test('should answer what was asked meanwhile when the store is opened anew for its log', async (t) => {
  const { memory, clock, records, events } = await scene(t)
  memory.logIsFull = true
  const inserts: Promise<boolean>[] = []
  const reads: Promise<unknown>[] = []
  const open = memory.open.bind(memory)
  memory.open = async (known) => {
    memory.logIsFull = false
    // In the middle of it.
    inserts.push(insert(records, 'kit', 'bob'), insert(records, 'tom', 'bob'))
    reads.push(valueAt(records, 'tom'))
    await settle()
    return await open(known)
  }
  await clock.advance(STORE_WATCH_INTERVAL_MS)
  await until('both to be asked', () => inserts.length === 2)
  t.alike(await Promise.all(inserts), [true, false])
  t.alike(await Promise.all(reads), ['ada'])
  t.is(await valueAt(records, 'kit'), 'bob')
  t.is(memory.openings, 2)
  t.alike(events, [], 'which is no news')
})

test('should close cleanly when its disk is full, and while it is opened anew', async (t) => {
  for (const isOpening of [false, true]) {
    const { memory, clock, store, records } = await scene(t)
    memory.fail(diskError('ENOSPC'))
    await t.exception(insert(records, 'kit', 'bob'), { code: 'DISK_FULL' })
    if (isOpening) {
      memory.fail(null)
      void clock.advance(STORE_WATCH_INTERVAL_MS)
    }
    await t.execution(records.close())
    await t.execution(store.close())
    t.absent(memory.store.locked)
  }
})
