import test, { type Test } from 'brittle'
import { GUARD_INTERVAL_MS } from '../../../../facilities/store/rollback-guard.js'
import { isStarlingError } from '../../../../helpers/errors/starling-error.js'
import { decodeWitness } from '../../../../helpers/store/store-witness.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import {
  DurableMemory,
  durableMemoryStore,
  MEMORY_PLACE,
  openMemoryStore,
  readCats,
  writeCats,
} from '../../../helpers/storage/durable-memory.js'
import { createRecords, insert } from '../../../helpers/storage/local-records.js'
import { MemoryFile } from '../../../helpers/storage/memory-files.js'
import { rejectionOf, settle } from '../../../helpers/until.js'

const OWNERS = ['ada', 'bob', 'cleo', 'dora']

const read = (memory: DurableMemory) => readCats(memory, OWNERS)

/** Holds a start for refused, because of the guard, and without anything being written. */
async function refused(t: Test, memory: DurableMemory): Promise<string> {
  const before = memory.copy()
  const error = await rejectionOf(openMemoryStore(memory))
  if (!isStarlingError(error, 'STORE_DAMAGED')) throw error
  t.ok(error.message.includes(MEMORY_PLACE.guard), 'names the guard')
  t.alike(memory.store.entries, before.store.entries, 'the store is as it was')
  t.alike(memory.guard.bytes, before.guard.bytes, 'the guard, too')
  return error.message
}

function lengthGuarded(memory: DurableMemory): number | undefined {
  return decodeWitness(memory.guard.bytes ?? Buffer.alloc(0))?.cores.cats?.length
}

test('should refuse when the store and its witness are both an older copy', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, OWNERS.slice(0, 2))
  const old = memory.copy()
  await writeCats(memory, OWNERS.slice(2))
  const stale = new DurableMemory(old.store, old.witness, memory.guard)
  const message = await refused(t, stale)
  t.ok(/"cats" held 6 entries .* it now holds 4 entries/.test(message), message)
  t.ok(message.includes('Restore a backup of the store taken after 2026-11-03T12:30:00.000Z'))
  t.ok(message.includes(`remove ${MEMORY_PLACE.guard}`))

  const accepted = new DurableMemory(old.store, old.witness)
  t.alike(await read(accepted), OWNERS.slice(0, 2), 'its owner has accepted it')
  t.is(lengthGuarded(accepted), 4, 'and it is guarded from then on')
  t.alike(await read(memory), OWNERS, 'the right one is served')
})

test('should refuse when the store and its witness are of another store', async (t) => {
  const memory = new DurableMemory()
  const other = new DurableMemory()
  await writeCats(memory, OWNERS)
  await writeCats(other, OWNERS)
  const message = await refused(t, new DurableMemory(other.store, other.witness, memory.guard))
  t.ok(/another copy: .*"cats" held 6 entries .* it is missing/.test(message), message)
})

test('should refuse an older copy when the witness alone was removed', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, OWNERS.slice(0, 2))
  const old = memory.copy()
  await writeCats(memory, OWNERS.slice(2))
  await refused(t, new DurableMemory(old.store, new MemoryFile(), memory.guard))
  t.alike(await read(new DurableMemory(memory.store, new MemoryFile(), memory.guard)), OWNERS)
})

test('should name both records when the store is older than its witness', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, OWNERS.slice(0, 2))
  const old = memory.copy()
  await writeCats(memory, OWNERS.slice(2))
  const message = await refused(t, new DurableMemory(old.store, memory.witness, memory.guard))
  t.ok(message.includes(`remove ${MEMORY_PLACE.witness} and ${MEMORY_PLACE.guard}`), message)
})

test('should refuse when the guard is damaged, and serve when its last writing was torn', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, OWNERS)
  const torn = memory.copy()
  const slot = (decodeWitness(memory.guard.bytes ?? Buffer.alloc(0))?.sequence ?? 0) % 2
  torn.guard.bytes?.fill(0, slot * 4096 + 100, slot * 4096 + 4096)
  t.alike(await read(torn), OWNERS)

  const damaged = memory.copy()
  damaged.guard.bytes?.fill(0)
  t.ok((await refused(t, damaged)).includes('is damaged'))
})

test('should serve when the store is ahead of its guard by what a kill has cut off', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, OWNERS.slice(0, 1))
  const before = memory.copy()
  await writeCats(memory, OWNERS.slice(1))
  t.alike(await read(new DurableMemory(memory.store, memory.witness, before.guard)), OWNERS)
})

/** A store that is open, with the time in the test's hands. */
async function scene(t: Test) {
  const memory = new DurableMemory()
  const clock = new VirtualClock()
  const store = durableMemoryStore(memory, clock)
  const records = createRecords(store)
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  await records.ready()
  await settle()
  return { memory, clock, store, records }
}

test('should be written a second after the witness at the latest, and once for all that came', async (t) => {
  const { memory, clock, records } = await scene(t)
  t.is(lengthGuarded(memory), 2, 'at once when it is new')
  const before = memory.guard.writes
  for (const owner of OWNERS) await insert(records, owner, 'tom')
  t.is(lengthGuarded(memory), 2)
  await clock.advance(GUARD_INTERVAL_MS)
  t.is(lengthGuarded(memory), OWNERS.length + 2)
  t.is(memory.guard.writes, before + 1)
})

test('should be written when the store is closed', async (t) => {
  const { memory, store, records } = await scene(t)
  await insert(records, 'ada', 'tom')
  t.is(lengthGuarded(memory), 2)
  await records.close()
  await store.close()
  t.is(lengthGuarded(memory), 3)
})

test('should keep nobody from writing when it cannot be written, say so and try again', async (t) => {
  const { memory, clock, store, records } = await scene(t)
  memory.guard.failure = new Error('EROFS')
  await clock.advance(GUARD_INTERVAL_MS)
  t.ok(await insert(records, 'ada', 'tom'))
  await settle()
  t.is(store.guardFailure, memory.guard.failure)
  t.is(store.failure, null)
  t.ok(await insert(records, 'bob', 'tom'))
  memory.guard.failure = null
  await clock.advance(GUARD_INTERVAL_MS)
  await settle()
  t.is(store.guardFailure, null)
  t.is(lengthGuarded(memory), 4)
})
