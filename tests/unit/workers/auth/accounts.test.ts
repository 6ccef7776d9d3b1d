import test, { type Test } from 'brittle'
import sinon from 'sinon'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { DurableRecords } from '../../../../facilities/store/durable-records.js'
import { Accounts, accountRecordSchema } from '../../../../workers/auth/accounts.js'
import { PasswordHasher } from '../../../../workers/auth/passwords.js'
import { DurableMemory, durableMemoryStore } from '../../../helpers/durable-memory.js'
import { createAccount } from '../../../helpers/factory.js'
import { rejectionOf } from '../../../helpers/until.js'
import { VirtualClock } from '../../../helpers/virtual-clock.js'

const ADA = createAccount()

function createAccounts(t: Test, memory = new DurableMemory()) {
  const store = durableMemoryStore(memory)
  const records = new DurableRecords(store, 'accounts', accountRecordSchema)
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  const passwords = new PasswordHasher({ passes: 1, memoryBytes: 8192 })
  const clock = new VirtualClock()
  const accounts = new Accounts({ records, passwords, clock, random: new SystemRandom() })
  return { accounts, records, passwords, clock, memory }
}

async function errorOf(action: Promise<unknown>): Promise<{ code: unknown; message: string }> {
  const error = await rejectionOf(action)
  if (!(error instanceof Error)) throw error
  return { code: 'code' in error ? error.code : undefined, message: error.message }
}

test('should know the user again when the credential is right', async (t) => {
  const { accounts } = createAccounts(t)
  const { userId } = await accounts.register(ADA)
  t.ok(/^usr_[0-9A-HJKMNP-TV-Z]{26}$/.test(userId), userId)
  t.alike(await accounts.authenticate(ADA), { userId })
})

test('should store a hash and never the password when somebody registers', async (t) => {
  const { accounts, records, clock, memory } = createAccounts(t)
  const { userId } = await accounts.register(ADA)
  const record = await records.get(ADA.email)
  t.ok(record?.passwordHash.startsWith('$argon2id$'))
  t.alike(record, {
    userId,
    email: ADA.email,
    passwordHash: record?.passwordHash,
    createdAt: clock.now(),
  })
  t.absent([...memory.store.entries.values()].some((value) => value.includes(ADA.password)))
})

test('should be on disk when the registration is acknowledged', async (t) => {
  const { accounts, records, memory } = createAccounts(t)
  await records.ready()
  const before = memory.store.flushes
  await accounts.register(ADA)
  t.is(memory.store.flushes, before + 1)
})

test('should take spellings of one address for one account when they differ in case', async (t) => {
  const { accounts } = createAccounts(t)
  const { userId } = await accounts.register({ ...ADA, email: ' Ada@Example.COM ' })
  t.alike(await accounts.authenticate({ ...ADA, email: 'ADA@example.com' }), { userId })
  t.is((await errorOf(accounts.register(ADA))).code, 'EMAIL_TAKEN')
})

test('should refuse when the address is registered, without hashing', async (t) => {
  const { accounts, passwords } = createAccounts(t)
  await accounts.register(ADA)
  const hash = sinon.spy(passwords, 'hash')
  const second = { ...ADA, password: 'another password' }
  t.is((await errorOf(accounts.register(second))).code, 'EMAIL_TAKEN')
  t.is(hash.callCount, 0)
  t.is((await errorOf(accounts.authenticate(second))).code, 'INVALID_CREDENTIAL')
})

test('should register exactly one when many want one address at once', async (t) => {
  const { accounts } = createAccounts(t)
  const passwords = Array.from({ length: 8 }, (_, index) => `password number ${index}`)
  const outcomes = await Promise.allSettled(
    passwords.map((password) => accounts.register({ ...ADA, password })),
  )
  const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'rejected') t.is(outcome.reason.code, 'EMAIL_TAKEN')
    else t.is(index, winner)
  }
  const { userId } = await accounts.authenticate({ ...ADA, password: passwords[winner] ?? '' })
  t.ok(userId)
})

test('should not tell an unknown user from a wrong password', async (t) => {
  const { accounts, passwords } = createAccounts(t)
  await accounts.register(ADA)
  const verify = sinon.spy(passwords, 'verify')
  const unknown = await errorOf(accounts.authenticate({ ...ADA, email: 'bob@example.com' }))
  const wrong = await errorOf(accounts.authenticate({ ...ADA, password: 'wrong password' }))
  t.is(unknown.code, 'INVALID_CREDENTIAL')
  t.alike(unknown, wrong)
  t.is(verify.callCount, 2, 'both cost a hash')
})

test('should refuse when a credential is not what the contract asks for', async (t) => {
  const { accounts } = createAccounts(t)
  const wrong = [
    { ...ADA, email: 'ada' },
    { ...ADA, password: 'short' },
    { ...ADA, password: 'x'.repeat(257) },
  ]
  for (const credential of wrong) {
    const { code, message } = await errorOf(accounts.register(credential))
    t.is(code, 'INVALID_REQUEST')
    t.absent(message.includes(credential.password))
    t.is((await errorOf(accounts.authenticate(credential))).code, 'INVALID_REQUEST')
  }
})

test('should do nothing when the caller has given up', async (t) => {
  const { accounts, records } = createAccounts(t)
  const signal = AbortSignal.abort(new Error('gone'))
  t.is((await errorOf(accounts.register(ADA, signal))).message, 'gone')
  t.is((await errorOf(accounts.authenticate(ADA, signal))).message, 'gone')
  t.is(await records.get(ADA.email), undefined)
})

test('should know the user when the worker has restarted', async (t) => {
  const memory = new DurableMemory()
  const store = durableMemoryStore(memory)
  const records = new DurableRecords(store, 'accounts', accountRecordSchema)
  const passwords = new PasswordHasher({ passes: 1, memoryBytes: 8192 })
  const parts = { records, passwords, clock: new VirtualClock(), random: new SystemRandom() }
  const { userId } = await new Accounts(parts).register(ADA)
  await records.close()
  await store.close()

  const { accounts } = createAccounts(t, memory)
  t.alike(await accounts.authenticate(ADA), { userId })
})
