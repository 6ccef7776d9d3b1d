import test, { type Test } from 'brittle'
import sinon from 'sinon'
import sodium from 'sodium-native'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { accountKey, parseAccount } from '../../../../helpers/accounts/account-record.js'
import { Accounts } from '../../../../workers/auth/accounts.js'
import { PasswordHasher } from '../../../../workers/auth/passwords.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { createAccount, createAsker } from '../../../helpers/factory.js'
import { DurableMemory, durableMemoryStore } from '../../../helpers/storage/durable-memory.js'
import { createRecords } from '../../../helpers/storage/local-records.js'
import { rejectionOf, until } from '../../../helpers/until.js'

const ADA = createAccount()
const ASKER = createAsker()

function createAccounts(t: Test, memory = new DurableMemory()) {
  const store = durableMemoryStore(memory)
  const records = createRecords(store)
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

test('should recognise the user when the credential is valid', async (t) => {
  const { accounts } = createAccounts(t)
  const { userId } = await accounts.register(ADA, ASKER)
  t.ok(/^usr_[0-9A-HJKMNP-TV-Z]{26}$/.test(userId), userId)
  t.alike(await accounts.authenticate(ADA, ASKER), { userId })
})

test('should store a hash and never the password when a user registers', async (t) => {
  const { accounts, records, clock, memory } = createAccounts(t)
  const { userId } = await accounts.register(ADA, ASKER)
  const entry = await records.get(accountKey(ADA.email))
  const { passwordHash } = parseAccount(entry?.value)
  t.ok(passwordHash.startsWith('$argon2id$'))
  t.alike(entry?.value, { userId, email: ADA.email, passwordHash, createdAt: clock.now() })
  t.absent([...memory.store.entries.values()].some((value) => value.includes(ADA.password)))
})

test('should be on disk when the registration is acknowledged', async (t) => {
  const { accounts, records, memory } = createAccounts(t)
  await records.ready()
  const before = memory.store.flushes
  await accounts.register(ADA, ASKER)
  t.is(memory.store.flushes, before + 1)
})

test('should treat spellings of one address as one account when they differ in case', async (t) => {
  const { accounts } = createAccounts(t)
  const { userId } = await accounts.register({ ...ADA, email: ' Ada@Example.COM ' }, ASKER)
  t.alike(await accounts.authenticate({ ...ADA, email: 'ADA@example.com' }, ASKER), { userId })
  t.is((await errorOf(accounts.register(ADA, ASKER))).code, 'EMAIL_TAKEN')
})

test('should refuse when the address is registered, without hashing', async (t) => {
  const { accounts, passwords } = createAccounts(t)
  await accounts.register(ADA, ASKER)
  const hash = sinon.spy(passwords, 'hash')
  const second = { ...ADA, password: 'another password' }
  t.is((await errorOf(accounts.register(second, ASKER))).code, 'EMAIL_TAKEN')
  t.is(hash.callCount, 0)
  t.is((await errorOf(accounts.authenticate(second, ASKER))).code, 'INVALID_CREDENTIAL')
})

test('should register exactly one user when many request one address at once', async (t) => {
  const { accounts } = createAccounts(t)
  const passwords = Array.from({ length: 8 }, (_, index) => `password number ${index}`)
  const outcomes = await Promise.allSettled(
    passwords.map((password) => accounts.register({ ...ADA, password }, ASKER)),
  )
  const winner = outcomes.findIndex(({ status }) => status === 'fulfilled')
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'rejected') t.is(outcome.reason.code, 'EMAIL_TAKEN')
    else t.is(index, winner)
  }
  const { userId } = await accounts.authenticate(
    { ...ADA, password: passwords[winner] ?? '' },
    ASKER,
  )
  t.ok(userId)
})

test('should give the same error for an unknown user as for a wrong password', async (t) => {
  const { accounts, passwords } = createAccounts(t)
  await accounts.register(ADA, ASKER)
  const verify = sinon.spy(passwords, 'verify')
  const unknown = await errorOf(accounts.authenticate({ ...ADA, email: 'bob@example.com' }, ASKER))
  const wrong = await errorOf(accounts.authenticate({ ...ADA, password: 'wrong password' }, ASKER))
  t.is(unknown.code, 'INVALID_CREDENTIAL')
  t.alike(unknown, wrong)
  t.is(verify.callCount, 2, 'both cost a hash')
})

test('should refuse a credential when it does not match the contract', async (t) => {
  const { accounts } = createAccounts(t)
  const wrong = [
    { ...ADA, email: 'ada' },
    { ...ADA, password: 'short' },
    { ...ADA, password: 'x'.repeat(257) },
  ]
  for (const credential of wrong) {
    const { code, message } = await errorOf(accounts.register(credential, ASKER))
    t.is(code, 'INVALID_REQUEST')
    t.absent(message.includes(credential.password))
    t.is((await errorOf(accounts.authenticate(credential, ASKER))).code, 'INVALID_REQUEST')
  }
})

test('should do nothing when the caller has given up', async (t) => {
  const { accounts, records } = createAccounts(t)
  const signal = AbortSignal.abort(new Error('gone'))
  t.is((await errorOf(accounts.register(ADA, { ...ASKER, signal }))).message, 'gone')
  t.is((await errorOf(accounts.authenticate(ADA, { ...ASKER, signal }))).message, 'gone')
  t.is(await records.get(accountKey(ADA.email)), undefined)
})

test('should know the user when the worker has restarted', async (t) => {
  const memory = new DurableMemory()
  const store = durableMemoryStore(memory)
  const records = createRecords(store)
  const passwords = new PasswordHasher({ passes: 1, memoryBytes: 8192 })
  const parts = { records, passwords, clock: new VirtualClock(), random: new SystemRandom() }
  const { userId } = await new Accounts(parts).register(ADA, ASKER)
  await records.close()
  await store.close()

  const { accounts } = createAccounts(t, memory)
  t.alike(await accounts.authenticate(ADA, ASKER), { userId })
})

test('should hash at most twenty times in an hour when one client guesses a password', async (t) => {
  const { accounts, passwords, clock } = createAccounts(t)
  await accounts.register(ADA, ASKER)
  const verify = sinon.spy(passwords, 'verify')
  const guess = { ...ADA, password: 'a wrong guess' }
  const startedAt = clock.now()
  for (let tries = 0; clock.now() - startedAt < 3_600_000 && verify.callCount < 50; tries += 1) {
    // Through one gateway and the other: who asks is what counts.
    const { code } = await errorOf(accounts.authenticate(guess, createAsker(1, tries % 2)))
    if (code === 'RATE_LIMITED') await clock.advance(1_000)
    else t.is(code, 'INVALID_CREDENTIAL')
  }
  t.ok(verify.callCount >= 10 && verify.callCount <= 20, `${verify.callCount} hashes`)
  t.is((await errorOf(accounts.authenticate(ADA, ASKER))).code, 'RATE_LIMITED')
  const owner = createAsker(2)
  t.ok((await accounts.authenticate(ADA, owner)).userId, 'the owner is not locked out')
  t.ok((await accounts.authenticate(ADA, owner)).userId)
})

test('should delay logins to an unregistered address in the same way', async (t) => {
  const { accounts } = createAccounts(t)
  await accounts.register(ADA, ASKER)
  const refusals = async (email: string) => {
    const found: { code: unknown; message: string }[] = []
    for (let time = 0; time < 6; time += 1) {
      found.push(await errorOf(accounts.authenticate({ email, password: 'wrong guess' }, ASKER)))
    }
    return found
  }
  const known = await refusals(ADA.email)
  t.is(known.at(-1)?.code, 'RATE_LIMITED')
  t.alike(await refusals('nobody@example.com'), known)
})

test('should refuse the rest of many guesses when they come at once', async (t) => {
  const { accounts, passwords } = createAccounts(t)
  await accounts.register(ADA, ASKER)
  const verify = sinon.spy(sodium, 'crypto_pwhash_str_verify_async')
  t.teardown(() => verify.restore())
  const guesses = Array.from({ length: 10 }, (_, index) =>
    errorOf(accounts.authenticate({ ...ADA, password: `wrong guess ${index}` }, ASKER)),
  )
  const codes = (await Promise.all(guesses)).map(({ code }) => code)
  // Two may be hashed at once, so that one more than those that are free can have begun.
  t.ok(verify.callCount <= 5, `${verify.callCount} hashes`)
  t.is(codes.filter((code) => code === 'RATE_LIMITED').length, 10 - verify.callCount)
  t.is(passwords.waiting, 0)
})

test('should let a client log in at once when another has filled the queue with registrations', async (t) => {
  const { accounts, passwords } = createAccounts(t)
  await accounts.register(ADA, ASKER)
  const flood = Array.from({ length: 200 }, (_, index) =>
    errorOf(
      accounts
        .register(createAccount(`flood-${index}`), createAsker(10 + (index % 40)))
        .then(() => {
          throw new Error('registered')
        }),
    ),
  )
  await until('the line to be full', () => passwords.waiting >= 64)
  const logins = Array.from({ length: 30 }, (_, index) =>
    accounts.authenticate(ADA, createAsker(100 + index)),
  )
  for (const login of logins) t.ok((await login).userId)
  const codes = new Set((await Promise.all(flood)).map(({ code }) => code))
  t.ok(codes.has('OVERLOADED'))
})
