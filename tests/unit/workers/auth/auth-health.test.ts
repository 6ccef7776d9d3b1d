import test, { type Test } from 'brittle'
import sinon from 'sinon'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { Accounts } from '../../../../workers/auth/accounts.js'
import { AuthWorker } from '../../../../workers/auth/auth-worker.js'
import { PasswordHasher } from '../../../../workers/auth/passwords.js'
import { createPrivateKeyPem, SessionKeys } from '../../../../workers/auth/session-keys.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { createAccount, createAsker } from '../../../helpers/factory.js'
import { DurableMemory, durableMemoryStore } from '../../../helpers/storage/durable-memory.js'
import { createRecords } from '../../../helpers/storage/local-records.js'
import { rejectionOf, settle } from '../../../helpers/until.js'

const ADA = createAccount()
const ASKER = createAsker()
const REQUEST = { owner: ['gateway', 'client'] }

function scene(t: Test) {
  const cleanup = new Cleanup(t)
  const memory = new DurableMemory()
  const store = durableMemoryStore(memory)
  cleanup.add(() => store.close())
  const records = createRecords(store)
  cleanup.add(() => records.close())
  const passwords = new PasswordHasher({ maxConcurrentHashes: 1, passes: 1, memoryBytes: 8192 })
  const clock = new VirtualClock()
  const random = new SystemRandom()
  const accounts = new Accounts({ records, passwords, clock, random })
  const sessionKeys = new SessionKeys(createPrivateKeyPem(random))
  const worker = new AuthWorker({ accounts, sessionKeys, clock, mesh: 'ab'.repeat(32) })
  return { worker, accounts, passwords, records, store, memory }
}

test('should be ready as long as its accounts are open', async (t) => {
  const { worker, records } = scene(t)
  const message = 'The store is not open'
  const closed = [{ code: 'HOME_UNUSABLE', message, blocks: true }]
  t.alike(worker.problems(), closed)
  await records.ready()
  t.alike(worker.problems(), [])
  const closing = records.close()
  t.alike(worker.problems(), closed)
  await closing
  t.alike(worker.problems(), closed)
})

test('should not be ready once its disk has failed', async (t) => {
  const { worker, accounts, records, store } = scene(t)
  await records.ready()
  store.commit = () => Promise.reject(new Error('the disk is full'))
  const refusal = await rejectionOf(accounts.register(ADA, ASKER))
  t.is(Object(refusal).code, 'DISK_FAILED')
  const [problem] = worker.problems()
  t.alike([problem?.code, problem?.blocks], ['DISK_FAILED', true])
  t.absent(problem?.message.includes('disk is full'), 'the cause is for its log')
})

test('should report a full disk, refuse registrations without hashing, and open sessions', async (t) => {
  const { worker, accounts, passwords, records, memory } = scene(t)
  await accounts.register(ADA, ASKER)
  memory.fail(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
  const hash = sinon.spy(passwords, 'hash')
  for (const name of ['bob', 'cleo', 'dora']) {
    const refusal = await rejectionOf(accounts.register(createAccount(name), ASKER))
    t.is(Object(refusal).code, 'DISK_FULL')
  }
  t.is(hash.callCount, 1, 'no more than it took to find out')
  const [problem] = worker.problems()
  t.alike([problem?.code, problem?.blocks], ['DISK_FULL', true])
  t.ok(problem?.message.includes(memory.place.store))
  t.ok((await accounts.authenticate(ADA, ASKER)).userId)
  t.ok(records.opened)
})

test('should be ready and say so when only the record against rollbacks cannot be written', async (t) => {
  const { worker, accounts, memory } = scene(t)
  memory.guard.failure = Object.assign(new Error('EROFS'), { code: 'EROFS' })
  await accounts.register(ADA, ASKER)
  await settle()
  const [problem, ...others] = worker.problems()
  t.alike([problem?.code, problem?.blocks], ['DISK_FAILED', false])
  t.alike(others, [])
})

test('should report its load of hashing', async (t) => {
  const { worker, passwords } = scene(t)
  const metrics = () => Object.fromEntries(worker.metrics.map(({ name, value }) => [name, value()]))
  t.alike(metrics(), { hashesRunning: 0, hashesWaiting: 0 })
  // Looked at in the same tick: a moment later the first may be done.
  const hashed = ['one', 'two', 'three'].map((password) => passwords.hash(password, REQUEST))
  t.alike(metrics(), { hashesRunning: 1, hashesWaiting: 2 })
  await Promise.all(hashed)
  t.alike(metrics(), { hashesRunning: 0, hashesWaiting: 0 })
})
