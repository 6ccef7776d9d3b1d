import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import sinon from 'sinon'
import { z } from 'zod'
import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { DurableRecords } from '../../facilities/store/durable-records.js'
import { openStore } from '../../facilities/store/open-store.js'
import { Accounts, accountRecordSchema } from '../../workers/auth/accounts.js'
import { PasswordHasher } from '../../workers/auth/passwords.js'
import { loadOrCreateSessionKeys } from '../../workers/auth/session-keys.js'

const ADA = { email: 'ada@example.com', password: 'correct horse' }
const textSchema = z.string()

async function openAccounts(directory: string) {
  const store = await openStore(directory)
  const records = new DurableRecords(store, 'accounts', accountRecordSchema)
  const accounts = new Accounts({
    records,
    passwords: new PasswordHasher(),
    clock: new SystemClock(),
    random: new SystemRandom(),
  })
  return {
    accounts,
    store,
    close: async () => {
      await records.close()
      await store.close()
    },
  }
}

/** RocksDB's tables: a record reaches one only by a flush, until then it is in the log alone. */
async function tablesIn(directory: string): Promise<number> {
  const names = await readdir(join(directory, 'db'))
  return names.filter((name) => name.endsWith('.sst')).length
}

async function openForTest(t: Test, directory: string) {
  const store = await openStore(directory)
  t.teardown(() => store.close())
  return store
}

test('should know an acknowledged user when the store is opened again', async (t) => {
  const directory = join(await t.tmp(), 'auth', 'store')
  const before = await openAccounts(directory)
  const { userId } = await before.accounts.register(ADA)
  await before.close()

  const after = await openAccounts(directory)
  t.teardown(after.close)
  t.alike(await after.accounts.authenticate(ADA), { userId })
  await t.exception(after.accounts.register(ADA), { code: 'EMAIL_TAKEN' })
})

test('should have written a table when a user is acknowledged', async (t) => {
  const directory = await t.tmp()
  const { accounts, store, close } = await openAccounts(directory)
  t.teardown(close)
  const flush = sinon.spy(store.storage.db, 'flush')
  t.is(await tablesIn(directory), 0)
  await accounts.register(ADA)
  t.is(flush.callCount, 1)
  await flush.firstCall.returnValue
  t.ok((await tablesIn(directory)) > 0)
})

test('should share syncs when 64 write at once', async (t) => {
  const store = await openForTest(t, await t.tmp())
  const records = new DurableRecords(store, 'texts', textSchema)
  t.teardown(() => records.close(), { order: -1 })
  await records.ready()
  const flush = sinon.spy(store.storage.db, 'flush')
  const clock = new SystemClock()
  const startedAt = clock.monotonic()
  const keys = Array.from({ length: 64 }, (_, index) => `key-${index}`)
  await Promise.all(keys.map((key) => records.insert(key, 'x'.repeat(200))))
  t.comment(`${flush.callCount} syncs, ${(clock.monotonic() - startedAt).toFixed(1)} ms`)
  t.ok(flush.callCount <= 3, `${flush.callCount} syncs`)
  for (const key of keys) t.ok(await records.get(key))
})

test('should refuse when the store is open already', async (t) => {
  const directory = await t.tmp()
  const first = await openStore(directory)
  await t.exception(openStore(directory), { code: 'HOME_IN_USE' })

  const records = new DurableRecords(first, 'texts', textSchema)
  t.ok(await records.insert('key', 'value'), 'the first one goes on')
  await records.close()
  await first.close()
  const third = await openForTest(t, directory)
  t.ok(third.opened, 'and leaves it free')
})

test('should refuse when the folder cannot be one', async (t) => {
  const file = join(await t.tmp(), 'file')
  await writeFile(file, '')
  await t.exception(openStore(file), { code: 'HOME_UNUSABLE' })
  await t.exception(openStore(join(file, 'store')), { code: 'HOME_UNUSABLE' })
})

test('should refuse when what is in the folder is no store', async (t) => {
  const directory = await t.tmp()
  await mkdir(join(directory, 'db'))
  await writeFile(join(directory, 'db', 'CURRENT'), 'rubbish')
  await t.exception(openStore(directory), { code: 'HOME_UNUSABLE' })
})

test('should keep the folder to its owner when it makes one', async (t) => {
  const directory = join(await t.tmp(), 'auth')
  await openForTest(t, directory)
  t.is((await stat(directory)).mode & 0o777, 0o700)
})

test('should keep the session keys when the worker restarts', async (t) => {
  const path = join(await t.tmp(), 'session-key.pem')
  const random = new SystemRandom()
  const all = await Promise.all([1, 2, 3].map(() => loadOrCreateSessionKeys(path, random)))
  const again = await loadOrCreateSessionKeys(path, random)
  t.alike(
    all.map(({ keyId }) => keyId),
    [again.keyId, again.keyId, again.keyId],
  )
  t.is((await stat(path)).mode & 0o777, 0o600)
  await chmod(path, 0o644)
  await t.exception(loadOrCreateSessionKeys(path, random), { code: 'HOME_UNUSABLE' })
})
