import test, { type Test } from 'brittle'
import Hyperbee from 'hyperbee'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { LocalRecords } from '../../../../facilities/store/local-records.js'
import { decodeWitness } from '../../../../helpers/store/store-witness.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'
import {
  collectPowerCuts,
  DurableMemory,
  openMemoryStore,
} from '../../../helpers/storage/durable-memory.js'
import { insert, valueAt } from '../../../helpers/storage/local-records.js'

const OWNERS = ['ada', 'bob', 'cleo']
const random = new SystemRandom()

/** A store as an earlier version has left it: a Hyperbee of JSON in a core with a name. */
async function earlierStore(owners = OWNERS): Promise<DurableMemory> {
  const memory = new DurableMemory()
  const store = await openMemoryStore(memory)
  const bee = new Hyperbee(store.corestore.get({ name: 'cats' }), {
    keyEncoding: 'utf-8',
    valueEncoding: 'json',
    extension: false,
  })
  await bee.ready()
  await store.track('cats', bee.core)
  for (const owner of owners) await bee.put(owner, { cat: `of ${owner}` })
  await store.commit()
  await bee.close()
  await store.close()
  return memory
}

/** Opens the store as this version does. @returns the value of each owner's record */
async function carriedOver(memory: DurableMemory, more?: string): Promise<readonly unknown[]> {
  const store = await openMemoryStore(memory)
  const records = new LocalRecords({
    store,
    name: 'records',
    random,
    earlier: { core: 'cats', keyOf: (key) => `cat/${key}` },
  })
  await records.ready()
  if (more !== undefined) await insert(records, `cat/${more}`, { cat: `of ${more}` })
  const values = await Promise.all(OWNERS.map((owner) => valueAt(records, `cat/${owner}`)))
  await records.close()
  await store.close()
  return values
}

function namesWitnessed(memory: DurableMemory): string[] {
  return Object.keys(decodeWitness(memory.witness.bytes ?? Buffer.alloc(0))?.cores ?? {})
}

async function coresIn(memory: DurableMemory): Promise<number> {
  const store = await openMemoryStore(memory)
  let count = 0
  for await (const _ of store.corestore.list()) count += 1
  await store.close()
  return count
}

function isAll(t: Test, values: readonly unknown[], message?: string): void {
  const expected = OWNERS.map((owner) => ({ cat: `of ${owner}` }))
  t.alike(values, expected, message)
}

test('should carry over the records of an earlier version once, and remove their core', async (t) => {
  const memory = await earlierStore()
  isAll(t, await carriedOver(memory))
  t.alike(namesWitnessed(memory), ['records'])
  t.is(await coresIn(memory), 1)
  isAll(t, await carriedOver(memory), 'and find them at the next start')
  isAll(t, await carriedOver(memory.afterPowerCut()))
})

test('should carry over an empty store', async (t) => {
  const memory = await earlierStore([])
  t.alike(await carriedOver(memory, 'dora'), [undefined, undefined, undefined])
  t.alike(namesWitnessed(memory), ['records'])
})

test('should carry over a store whose witness and guard were removed', async (t) => {
  const { store } = await earlierStore()
  isAll(t, await carriedOver(new DurableMemory(store)))
})

test('should carry over a store whose witness alone was removed', async (t) => {
  const memory = await earlierStore()
  memory.witness.bytes = undefined
  isAll(t, await carriedOver(memory))
  isAll(t, await carriedOver(memory))
})

test('should carry over everything when the power is cut at any moment of it', async (t) => {
  const memory = await earlierStore()
  const cuts = collectPowerCuts(memory, new SeededRandom(3), () => null)
  isAll(t, await carriedOver(memory))
  t.ok(cuts.length >= 8, `${cuts.length} cuts`)
  for (const [index, { disk }] of cuts.entries()) {
    isAll(t, await carriedOver(disk), `cut ${index}`)
    isAll(t, await carriedOver(disk, 'dora'), `cut ${index}, started again`)
  }
})

test('should carry over what an earlier version has added since a crash', async (t) => {
  const memory = await earlierStore(OWNERS.slice(0, 2))
  const cuts = collectPowerCuts(memory, new SeededRandom(4), () => null)
  await carriedOver(memory)
  for (const { disk } of cuts.filter((cut) => namesWitnessed(cut.disk).includes('cats'))) {
    const store = await openMemoryStore(disk)
    const core = await store.openCore('cats')
    if (core === undefined) throw new Error('The earlier core is gone')
    const bee = new Hyperbee(core, { keyEncoding: 'utf-8', valueEncoding: 'json' })
    await bee.ready()
    await store.track('cats', core)
    await bee.put('cleo', { cat: 'of cleo' })
    await store.commit()
    await bee.close()
    await store.close()
    isAll(t, await carriedOver(disk))
  }
})
