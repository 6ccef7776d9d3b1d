import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import Corestore from 'corestore'
import sinon from 'sinon'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { openStore } from '../../../facilities/store/open-store.js'
import { WriteAheadLog } from '../../../facilities/store/write-ahead-log.js'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import { RECORDS } from '../../../workers/auth/account-store.js'
import { Accounts } from '../../../workers/auth/accounts.js'
import { PasswordHasher } from '../../../workers/auth/passwords.js'
import { createAccount, createAsker } from '../../helpers/factory.js'
import { SeededRandom } from '../../helpers/seeded-random.js'
import { createRecords, insert } from '../../helpers/storage/local-records.js'
import { rejectionOf } from '../../helpers/until.js'
import {
  contentOf,
  copyOf,
  flipBit,
  killedWorker,
  recordsIn,
  replaceStore,
  writeTexts,
} from '../../helpers/workers/worker-store.js'

const ADA = createAccount()
const ASKER = createAsker()
const clock = new SystemClock()

/** Bits that are flipped in each file of a kind. */
const FLIPS = { log: 12, other: 2 } as const

async function openAccounts(directory: string) {
  const store = await openStore(directory, { clock })
  const records = createRecords(store, RECORDS)
  const accounts = new Accounts({
    records,
    passwords: new PasswordHasher(),
    clock,
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

async function openForTest(t: Test, directory: string) {
  const store = await openStore(directory, { clock })
  t.teardown(() => store.close())
  return store
}

test('should know an acknowledged user when the store is opened again', async (t) => {
  const directory = join(await t.tmp(), 'auth', 'store')
  const before = await openAccounts(directory)
  const { userId } = await before.accounts.register(ADA, ASKER)
  await before.close()

  const after = await openAccounts(directory)
  t.teardown(after.close)
  t.alike(await after.accounts.authenticate(ADA, ASKER), { userId })
  await t.exception(after.accounts.register(ADA, ASKER), { code: 'EMAIL_TAKEN' })
})

test('should have synced the log of RocksDB when a user is acknowledged', async (t) => {
  const directory = join(await t.tmp(), 'store')
  const { accounts, close } = await openAccounts(directory)
  t.teardown(close)
  const sync = sinon.spy(WriteAheadLog.prototype, 'sync')
  t.teardown(() => sync.restore())
  await accounts.register(ADA, ASKER)
  // The first is for the witness of a core that is new.
  t.is(sync.callCount, 2)
  await sync.secondCall.returnValue
})

test('should refuse when the store is open already', async (t) => {
  const directory = join(await t.tmp(), 'store')
  const first = await openStore(directory, { clock })
  await t.exception(openStore(directory, { clock }), { code: 'HOME_IN_USE' })

  const records = createRecords(first, 'texts')
  t.ok(await insert(records, 'key', 'value'), 'the first one goes on')
  await records.close()
  await first.close()
  const third = await openForTest(t, directory)
  t.ok(third.opened, 'and leaves it free')
})

test('should refuse when the folder cannot be one', async (t) => {
  const file = join(await t.tmp(), 'file')
  await writeFile(file, '')
  await t.exception(openStore(file, { clock }), { code: 'HOME_UNUSABLE' })
  await t.exception(openStore(join(file, 'store'), { clock }), { code: 'HOME_UNUSABLE' })
})

test('should refuse when what is in the folder is no store', async (t) => {
  const directory = join(await t.tmp(), 'store')
  await mkdir(join(directory, 'db'), { recursive: true })
  await writeFile(join(directory, 'db', 'CURRENT'), 'rubbish')
  await writeFile(join(directory, 'db', '000001.sst'), 'rubbish')
  await t.exception(openStore(directory, { clock }), { code: 'STORE_DAMAGED' })
})

test('should refuse when something else is in the place of a file of the store', async (t) => {
  t.timeout(10_000)
  const elsewhere = await t.tmp()
  await writeFile(join(elsewhere, 'precious'), 'precious')
  for (const name of ['CURRENT', 'LOG']) {
    const directory = join(await t.tmp(), 'store')
    await mkdir(join(directory, 'db'), { recursive: true })
    const path = join(directory, 'db', name)
    execFileSync('mkfifo', [path])
    await t.exception(openStore(directory, { clock }), { code: 'HOME_UNUSABLE' })
    await rm(path)
    await symlink(join(elsewhere, 'precious'), path)
    await t.exception(openStore(directory, { clock }), { code: 'HOME_UNUSABLE' })
    t.alike(await readdir(join(directory, 'db')), [name], 'nothing is made')
  }
  t.alike(await readdir(elsewhere), ['precious'])
  t.is(await readFile(join(elsewhere, 'precious'), 'utf8'), 'precious')
})

test('should keep the folder to its owner when it makes one', async (t) => {
  const directory = join(await t.tmp(), 'auth')
  await openForTest(t, directory)
  t.is((await stat(directory)).mode & 0o777, 0o700)
})

/** Holds a start for refused, with its message, and the folder for as it was. */
async function refused(t: Test, folder: string): Promise<string> {
  const before = await contentOf(folder)
  const error = await rejectionOf(openStore(join(folder, 'store'), { clock }))
  if (!isStarlingError(error, 'STORE_DAMAGED')) throw error
  t.alike(await contentOf(folder), before, 'not one byte was changed')
  t.ok(error.message.includes(join(folder, 'store')), error.message)
  t.ok(error.message.includes(join(folder, 'store.witness')))
  return error.message
}

test('should have all or refuse when any bit of any file is flipped', async (t) => {
  const { folder, keys } = await killedWorker(t)
  t.is(await recordsIn(await copyOf(t, folder), keys), keys.length, 'the copy is served')

  const random = new SeededRandom(11)
  const outcomes = new Map<string, { served: number; refused: number }>()
  for (const name of await readdir(join(folder, 'store', 'db'))) {
    const kind = name.replace(/^\d+/, '').replace(/-\d+$/, '')
    if (kind === 'LOG' || kind === 'LOCK') continue
    const outcome = outcomes.get(kind) ?? { served: 0, refused: 0 }
    outcomes.set(kind, outcome)
    for (
      let round = 0;
      round < FLIPS[kind === 'MANIFEST' || kind === '.log' ? 'log' : 'other'];
      round += 1
    ) {
      const copy = await copyOf(t, folder)
      const position = await flipBit(join(copy, 'store', 'db', name), random)
      if (position === null) continue
      const found = await recordsIn(copy, keys)
      if (found === null) outcome.refused += 1
      else if (found === keys.length) outcome.served += 1
      else t.fail(`${found} of ${keys.length} when bit ${position} of ${name} is flipped`)
      if (found === null) t.is(await recordsIn(copy, keys), null, 'and again')
    }
  }
  t.comment(JSON.stringify(Object.fromEntries(outcomes)))
  t.ok((outcomes.get('.log')?.refused ?? 0) > 0, 'what was acknowledged is missed')
  t.ok((outcomes.get('MANIFEST')?.refused ?? 0) > 0)
  t.ok((outcomes.get('.sst')?.refused ?? 0) > 0)
})

test('should refuse when the end of the log of tables is cut off', async (t) => {
  const { folder, keys } = await killedWorker(t)
  const name = (await readdir(join(folder, 'store', 'db'))).find((file) => /^MANIFEST/.test(file))
  const manifest = join(folder, 'store', 'db', name ?? '')
  const whole = await readFile(manifest)
  let refusals = 0
  for (let length = whole.byteLength - 1; length > 0; length -= Math.ceil(whole.byteLength / 12)) {
    const copy = await copyOf(t, folder)
    await writeFile(join(copy, 'store', 'db', name ?? ''), whole.subarray(0, length))
    const found = await recordsIn(copy, keys)
    if (found === null) refusals += 1
    else t.is(found, keys.length, `cut to ${length} of ${whole.byteLength}`)
  }
  t.ok(refusals > 5, `${refusals} refused`)
})

test('should refuse when an old copy was restored, and serve a young one', async (t) => {
  const folder = join(await t.tmp(), 'auth')
  await writeTexts(folder, ['a', 'b'])
  const old = await copyOf(t, folder)
  await writeTexts(folder, ['c', 'd'])
  const young = await copyOf(t, folder)
  t.is((await stat(join(folder, 'store.witness'))).mode & 0o777, 0o600)
  await replaceStore(folder, old)
  const message = await refused(t, folder)
  t.ok(/"texts" held 6 entries .* it now holds 4 entries/.test(message))
  t.ok(/Restore a backup of the store taken after \d{4}-\d\d-\d\dT/.test(message))
  await refused(t, folder)

  await replaceStore(folder, young)
  t.is(await recordsIn(folder, ['a', 'b', 'c', 'd']), 4)

  await replaceStore(folder, old)
  await rm(join(folder, 'store.witness'))
  let isUnwitnessed = false
  const store = await openStore(join(folder, 'store'), {
    clock,
    onUnwitnessed: () => {
      isUnwitnessed = true
    },
  })
  await store.close()
  t.ok(isUnwitnessed, 'its owner has accepted it')
  t.is(await recordsIn(folder, ['a', 'b', 'c', 'd']), 2)
})

test('should refuse when the store is gone or another one', async (t) => {
  const [folder, other] = [join(await t.tmp(), 'auth'), join(await t.tmp(), 'auth')]
  await writeTexts(folder, ['a'])
  await writeTexts(other, ['a', 'b', 'c'])
  await replaceStore(folder, other)
  t.ok((await refused(t, folder)).includes('it is missing'))
  await rm(join(folder, 'store'), { recursive: true })
  t.ok((await refused(t, folder)).includes('it is missing'))
  await mkdir(join(folder, 'store', 'db'), { recursive: true })
  t.ok((await refused(t, folder)).includes('it is missing'))
  await rm(join(folder, 'store.witness'))
  t.is(await recordsIn(folder, ['a']), 0, 'begins anew')
})

test('should start when a first start was cut off', async (t) => {
  const folder = join(await t.tmp(), 'auth')
  const corestore = new Corestore(join(folder, 'store'))
  await corestore.ready()
  const cut = await copyOf(t, folder)
  await corestore.close()
  await writeTexts(cut, ['a'])
  t.is(await recordsIn(cut, ['a']), 1)
})
