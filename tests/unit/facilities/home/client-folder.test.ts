import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { ClientFolder } from '../../../../facilities/home/client-folder.js'
import { Home } from '../../../../facilities/home/home.js'
import { accountCredentialSchema } from '../../../../helpers/protocol/account.js'

const SESSION = { email: 'ada@example.com', token: 'a.b.c', expiresAt: 1_800_000_000_000 }

async function scene(t: Test) {
  const home = await Home.open(await t.tmp())
  const open = () => ClientFolder.open(home, new SystemRandom())
  return { home, open }
}

test('should remember the session when the next command asks', async (t) => {
  const { home, open } = await scene(t)
  const folder = await open()
  t.is(folder.path, home.path('client'))
  t.is(await folder.session(), undefined)
  await folder.saveSession(SESSION)
  t.alike(await (await open()).session(), SESSION)
  await folder.saveSession({ ...SESSION, email: 'bob@example.com' })
  t.is((await (await open()).session())?.email, 'bob@example.com')
})

test('should keep what it remembers from others when it is written', async (t) => {
  const { open } = await scene(t)
  const folder = await open()
  await folder.saveSession(SESSION)
  await folder.ensureLocalAccount()
  for (const name of ['session.json', 'local-account.json']) {
    t.is((await stat(join(folder.path, name))).mode & 0o777, 0o600)
  }
})

test('should make one local account when it is asked for several times', async (t) => {
  const { open } = await scene(t)
  const folder = await open()
  t.is(await folder.localAccount(), undefined)
  const account = await folder.ensureLocalAccount()
  t.alike(accountCredentialSchema.parse(account), account, 'one that can be registered')
  t.alike(await folder.ensureLocalAccount(), account)
  t.alike(await (await open()).localAccount(), account)
})

test('should make an account that nobody can guess when the home is another', async (t) => {
  const one = await (await (await scene(t)).open()).ensureLocalAccount()
  const other = await (await (await scene(t)).open()).ensureLocalAccount()
  t.not(one.email, other.email)
  t.not(one.password, other.password)
  t.is(one.password.length, 48, '24 bytes')
})

test('should say what is damaged when a file is not as it was written', async (t) => {
  const { open } = await scene(t)
  const folder = await open()
  const session = '{"email":"ada@example.com"}'
  await writeFile(join(folder.path, 'session.json'), session, { mode: 0o600 })
  await writeFile(join(folder.path, 'local-account.json'), '{', { mode: 0o600 })
  await t.exception(folder.session(), { code: 'HOME_UNUSABLE' })
  await t.exception(folder.localAccount(), { code: 'HOME_UNUSABLE' })
  await t.exception(folder.ensureLocalAccount(), /local-account.json is damaged/)
  await folder.saveSession(SESSION)
  t.alike(await folder.session(), SESSION, 'a new session heals it')
})

test('should say so when the folder cannot be made', async (t) => {
  const { home, open } = await scene(t)
  await writeFile(home.path('client'), '')
  await t.exception(open(), { code: 'HOME_UNUSABLE' })
})

test('should forget the session, and nothing else, when it is removed', async (t) => {
  const { open } = await scene(t)
  const folder = await open()
  t.is(await folder.removeSession(), false)
  await folder.saveSession(SESSION)
  await folder.ensureLocalAccount()
  t.is(await folder.removeSession(), true)
  t.is(await folder.session(), undefined)
  t.ok(await folder.localAccount())
  await mkdir(join(folder.path, 'session.json'))
  await t.exception(folder.removeSession(), { code: 'HOME_UNUSABLE' })
})
