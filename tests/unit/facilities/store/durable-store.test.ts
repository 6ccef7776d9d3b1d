import test, { type Test } from 'brittle'
import sinon from 'sinon'
import type { DurableStore } from '../../../../facilities/store/durable-store.js'
import type { LocalRecords } from '../../../../facilities/store/local-records.js'
import { isStarlingError } from '../../../../helpers/errors/starling-error.js'
import { decodeWitness } from '../../../../helpers/store/store-witness.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'
import {
  DurableMemory,
  durableMemoryStore,
  MEMORY_PLACE,
  openMemoryStore,
  readCats,
  writeCats,
} from '../../../helpers/storage/durable-memory.js'
import { createRecords, insert } from '../../../helpers/storage/local-records.js'
import { Memory } from '../../../helpers/storage/memory-storage.js'
import { rejectionOf, settle, until } from '../../../helpers/until.js'

const OWNERS = ['ada', 'bob', 'cleo', 'dora', 'emil']

const read = (memory: DurableMemory) => readCats(memory, OWNERS)

/** Holds a start for refused: because the store is damaged, and without anything being written. */
async function refused(t: Test, memory: DurableMemory, says: RegExp): Promise<string> {
  const before = memory.copy()
  const error = await rejectionOf(openMemoryStore(memory))
  if (!isStarlingError(error, 'STORE_DAMAGED')) throw error
  t.ok(says.test(error.message), error.message)
  t.ok(error.message.includes(MEMORY_PLACE.store), 'names the store')
  t.ok(error.message.includes(MEMORY_PLACE.witness), 'names the witness')
  t.alike(memory.store.entries, before.store.entries, 'the store is as it was')
  t.alike(memory.witness.bytes, before.witness.bytes, 'the witness, too')
  return error.message
}

function lengthWitnessed(memory: DurableMemory): number | undefined {
  return decodeWitness(memory.witness.bytes ?? Buffer.alloc(0))?.cores.cats?.length
}

test('should find everything again when it was stopped or its power was cut', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, OWNERS)
  t.alike(await read(memory), OWNERS)
  t.alike(await read(memory.afterPowerCut()), OWNERS)
})

test('should refuse when the store is older than its witness, and say what to do', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, OWNERS.slice(0, 2))
  const old = memory.copy()
  await writeCats(memory, OWNERS.slice(2))
  const stale = new DurableMemory(old.store, memory.witness)
  // Two more than the records: a core of records begins with two blocks of its own.
  const message = await refused(t, stale, /held 7 entries .* it now holds 4 entries/)
  t.ok(message.includes('taken after 2026-11-03T12:30:00.000Z'))
  t.ok(message.includes(`remove ${MEMORY_PLACE.witness}`))
  await refused(t, stale, /held 7 entries/)

  t.alike(await read(memory), OWNERS, 'the right one is served')
})

test('should take the store as it is when its witness was removed', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, OWNERS.slice(0, 2))
  const old = memory.copy()
  await writeCats(memory, OWNERS.slice(2))

  const accepted = new DurableMemory(old.store)
  t.alike(await read(accepted), OWNERS.slice(0, 2))
  t.is(lengthWitnessed(accepted), 4, 'and is witnessed from then on')
})

test('should serve when a crash came between the sync of the store and its witness', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, OWNERS.slice(0, 2))
  const before = memory.copy()
  await writeCats(memory, OWNERS.slice(2))
  const ahead = new DurableMemory(memory.store.copy(), before.witness)
  t.alike(await read(ahead), OWNERS)
  t.is(lengthWitnessed(ahead), 7)
})

test('should refuse when the content is another at the same length', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, ['ada', 'bob'])
  const forked = memory.copy()
  const witnessed = memory.copy()
  await writeCats(forked, ['cleo', 'dora'])
  await writeCats(witnessed, ['dora', 'emil'])
  await refused(t, new DurableMemory(forked.store, witnessed.witness), /6 entries .*6 entries/)

  const other = new DurableMemory()
  await writeCats(other, OWNERS)
  await refused(t, new DurableMemory(other.store, witnessed.witness), /it is missing/)
})

test('should append nothing when a store that was never verified is not what its witness says', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, ['ada'])
  const old = memory.copy()
  await writeCats(memory, ['bob'])
  for (const store of [old.store, new Memory()]) {
    const stale = new DurableMemory(store, memory.copy().witness)
    const durable = durableMemoryStore(stale)
    const records = createRecords(durable)
    await t.exception(insert(records, 'cleo', 'tom'), { code: 'STORE_DAMAGED' })
    await records.close()
    await durable.close()
    t.is(lengthWitnessed(stale), 4)
  }
  await t.exception(read(new DurableMemory(old.store, memory.witness)), { code: 'STORE_DAMAGED' })
})

test('should refuse when a byte of any record was changed', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, OWNERS)
  const edited = [...memory.store.entries].filter(([, value]) => value.includes('the cat of'))
  t.is(edited.length, OWNERS.length)
  for (const [key, value] of edited) {
    const copy = memory.copy()
    const changed = Buffer.from(value)
    changed.write('THE', changed.indexOf('the cat of'))
    copy.store.entries.set(key, changed)
    await refused(t, copy, /cannot be read: its 7 entries differ from those that were written/)
    await t.exception(read(new DurableMemory(copy.store)), { code: 'STORE_DAMAGED' })
  }
})

test('should refuse when the witness is damaged, and serve when its last writing was torn', async (t) => {
  const memory = new DurableMemory()
  await writeCats(memory, OWNERS)
  const bytes = memory.witness.bytes ?? Buffer.alloc(0)
  const torn = memory.copy()
  const slot = (decodeWitness(bytes)?.sequence ?? 0) % 2
  torn.witness.bytes?.fill(0, slot * 4096 + 100, slot * 4096 + 4096)
  t.alike(await read(torn), OWNERS)
  t.is(lengthWitnessed(torn), 7, 'what was torn is written again')

  const damaged = memory.copy()
  damaged.witness.bytes?.fill(0)
  await refused(t, damaged, /witness .* is damaged/)
  const emptied = memory.copy()
  emptied.witness.bytes = Buffer.alloc(0)
  await refused(t, emptied, /witness .* is damaged/)
})

test('should never witness more than is synced when many write at once', async (t) => {
  const memory = new DurableMemory()
  const store = durableMemoryStore(memory)
  const cats = createRecords(store)
  const dogs = createRecords(store, 'dogs')
  t.teardown(() => store.close())
  t.teardown(() => Promise.all([cats.close(), dogs.close()]), { order: -1 })
  const create = sinon.spy(memory.witness, 'replace')
  const random = new SeededRandom(5)
  const synchronize = memory.witness.sync.bind(memory.witness)
  const sync = sinon.stub(memory.witness, 'sync').callsFake(async () => {
    const torn = memory.afterPowerCut(random)
    await settle(1)
    await synchronize()
    for (const disk of [torn, memory.afterPowerCut()]) {
      const after = await openMemoryStore(disk)
      await after.close()
    }
  })
  await Promise.all(
    OWNERS.flatMap((owner) => [insert(cats, owner, 'tom'), insert(dogs, owner, 'rex')]),
  )
  t.ok(sync.callCount >= 1)
  t.is(create.callCount, 1)
  t.is(lengthWitnessed(memory), 7)
})

test('should share one sync and one writing of the witness when commits wait together', async (t) => {
  const memory = new DurableMemory()
  const store = durableMemoryStore(memory)
  t.teardown(() => store.close())
  await store.ready()
  const core = store.corestore.get({ name: 'log' })
  await core.ready()
  await store.track('log', core)
  const before = { flushes: memory.store.flushes, writes: memory.witness.writes }
  await core.append(Buffer.from('a'))
  const commits = [store.commit()]
  await settle(1)
  await core.append(Buffer.from('b'))
  commits.push(store.commit(), store.commit(), store.commit())
  await Promise.all(commits)
  t.ok(memory.store.flushes - before.flushes <= 2)
  t.ok(memory.witness.writes - before.writes <= 2)
  const { flushes, writes } = { flushes: memory.store.flushes, writes: memory.witness.writes }
  await store.commit()
  t.is(memory.store.flushes, flushes + 1)
  t.is(memory.witness.writes, writes, 'nothing new is nothing to witness')
})

test('should acknowledge only when the witness is on disk', async (t) => {
  const { memory, store, records } = await openRecords(t)
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const sync = sinon.stub(memory.witness, 'sync').returns(held)
  let acknowledged = false
  const inserted = insert(records, 'tom', 'ada').finally(() => {
    acknowledged = true
  })
  await until('the witness is written', () => sync.callCount > 0)
  await settle()
  t.absent(acknowledged)
  release()
  t.ok(await inserted)
  t.ok(store.opened)
})

test('should write nothing more when the witness cannot be written', async (t) => {
  const { memory, store, records } = await openRecords(t)
  sinon.stub(memory.witness, 'sync').onFirstCall().rejects(new Error('EIO'))
  await t.exception(insert(records, 'tom', 'ada'), { code: 'DISK_FAILED' })
  await t.exception(store.commit(), { code: 'DISK_FAILED' })
  await t.exception(insert(records, 'kit', 'ada'), { code: 'DISK_FAILED' })
  await t.execution(records.close())
  await t.execution(store.close())
})

async function openRecords(
  t: Test,
): Promise<{ memory: DurableMemory; store: DurableStore; records: LocalRecords }> {
  const memory = new DurableMemory()
  const store = durableMemoryStore(memory)
  const records = createRecords(store)
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  await records.ready()
  return { memory, store, records }
}
