import test from 'brittle'
import type Corestore from 'corestore'
import Hyperbee from 'hyperbee'
import { Memory, MemoryDatabase, memoryStore } from '../../../helpers/storage/memory-storage.js'

function openBee(store: Corestore): Hyperbee<'utf-8', 'json'> {
  return new Hyperbee(store.get({ name: 'records' }), {
    keyEncoding: 'utf-8',
    valueEncoding: 'json',
  })
}

test('should find everything again when a second store opens the same memory', async (t) => {
  const memory = new Memory()
  const first = memoryStore(memory)
  const before = openBee(first)
  const batch = before.batch()
  for (let index = 0; index < 300; index++) await batch.put(`key-${index}`, index)
  await batch.flush()
  const key = before.core.key
  await first.close()

  const second = memoryStore(memory)
  t.teardown(() => second.close())
  const after = openBee(second)
  await after.ready()
  t.alike(after.core.key, key, 'the same core')
  t.is(after.core.length, 301)
  t.is((await after.get('key-299'))?.value, 299)
  await after.put('more', true)
  t.is((await after.get('more'))?.value, true)
})

test('should refuse a second store when the first is still open', async (t) => {
  const memory = new Memory()
  const first = memoryStore(memory)
  await first.ready()
  await t.exception(() => memoryStore(memory), /could not be locked/)

  await first.close()
  const second = memoryStore(memory)
  await t.execution(second.ready())
  await second.close()
})

async function write(database: MemoryDatabase, names: string): Promise<void> {
  const batch = database.write()
  for (const name of names) batch.tryPut(Buffer.from(name), Buffer.from(name.toUpperCase()))
  await batch.flush()
}

async function read(database: MemoryDatabase, range = {}): Promise<string> {
  let keys = ''
  for await (const item of database.iterator(range)) {
    const { key, value } = item as { key: Buffer; value: Buffer }
    if (value.toString() === key.toString().toUpperCase()) keys += key
  }
  return keys
}

test('should iterate in the order of the keys when a range, a limit or reverse is asked', async (t) => {
  const database = new MemoryDatabase(new Memory())
  await write(database, 'dacbe')
  const [b, d] = [Buffer.from('b'), Buffer.from('d')]

  t.is(await read(database), 'abcde')
  t.is(await read(database, { gte: b, lt: d }), 'bc')
  t.is(await read(database, { gt: b, lte: d }), 'cd')
  t.is(await read(database, { gte: b, reverse: true, limit: 2 }), 'ed')
  t.is(await read(database, { limit: -1 }), 'abcde')
})

test('should delete a key and a range when the batch is flushed', async (t) => {
  const database = new MemoryDatabase(new Memory())
  await write(database, 'abcdef')
  const batch = database.write()
  batch.tryDelete(Buffer.from('a'))
  batch.tryDeleteRange(Buffer.from('c'), Buffer.from('e'))
  t.is(await read(database), 'abcdef')
  await batch.flush()

  t.is(await read(database), 'bef')
  t.is(await database.get(Buffer.from('c')), null)
})

test('should hide later writes when a snapshot was taken', async (t) => {
  const database = new MemoryDatabase(new Memory())
  await write(database, 'ab')
  const snapshot = database.snapshot()
  await write(database, 'c')

  t.is(await read(snapshot), 'ab')
  t.is(await snapshot.get(Buffer.from('c')), null)
  t.is(await read(database), 'abc')
})

test('should keep its own bytes when the caller changes theirs', async (t) => {
  const database = new MemoryDatabase(new Memory())
  const key = Buffer.from('a')
  const value = Buffer.from('A')
  const batch = database.write()
  batch.tryPut(key, value)
  value.fill(0)
  await batch.flush()
  const found = await database.get(key)
  t.alike(found, Buffer.from('A'))
  found?.fill(0)
  t.alike(await database.get(key), Buffer.from('A'))
})

test('should refuse to read when a session or the root is closed', async (t) => {
  const database = new MemoryDatabase(new Memory())
  const session = database.session()
  const other = database.session()
  await session.close()
  await t.exception(() => session.read(), /closed/)
  t.ok(session.closed)
  t.absent(database.closed)

  await database.close()
  await t.exception(() => other.write(), /closed/)
  t.ok(database.closed)
})

test('should lose the blocks when a core is cleared or truncated', async (t) => {
  const memory = new Memory()
  const first = memoryStore(memory)
  const before = first.get({ name: 'log' })
  await before.ready()
  for (const text of ['a', 'b', 'c', 'd']) await before.append(Buffer.from(text))
  await before.clear(0, 2)
  await before.truncate(3)
  await first.close()

  const second = memoryStore(memory)
  t.teardown(() => second.close())
  const after = second.get({ name: 'log' })
  await after.ready()
  t.is(after.length, 3)
  t.is(after.fork, 1)
  t.is(await after.get(0, { wait: false }), null)
  t.alike(await after.get(2), Buffer.from('c'))
})
