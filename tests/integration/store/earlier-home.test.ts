import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type Test } from 'brittle'
import { z } from 'zod'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { Home } from '../../../facilities/home/home.js'
import { createLog } from '../../../facilities/log/log.js'
import { ResourceStack } from '../../../facilities/worker/resource-stack.js'
import { parseRoster, ROSTER_KEYS } from '../../../helpers/discovery/roster-records.js'
import { openAccountStore } from '../../../workers/auth/account-store.js'
import { Accounts } from '../../../workers/auth/accounts.js'
import { PasswordHasher } from '../../../workers/auth/passwords.js'
import { createAccount, createAsker } from '../../helpers/factory.js'
import { readProjectFile } from '../../helpers/project-documents.js'
import { contentOf } from '../../helpers/workers/worker-store.js'

const random = new SystemRandom()
const clock = new SystemClock()

/** See tests/fixtures/README.md. */
const fixtureSchema = z.object({
  /** The user ids by name. */
  users: z.record(z.string(), z.string()),
  keyId: z.string(),
  sequence: z.number(),
  /** Base64, by path. */
  files: z.record(z.string(), z.string()),
})

/** A home as the version before Records has left it, and what was in it. */
async function earlierHome(t: Test) {
  const directory = await t.tmp()
  const { files, ...content } = fixtureSchema.parse(
    JSON.parse(await readProjectFile('tests/fixtures/earlier-auth-home.json')),
  )
  const home = await Home.open(directory)
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true, mode: 0o700 })
    await writeFile(join(directory, path), Buffer.from(bytes, 'base64'), { mode: 0o600 })
    await chmod(join(directory, path), 0o600)
  }
  return { home, folder: home.path('auth'), ...content }
}

/** Opens the home as auth does. */
async function opened(home: Home) {
  const resources = new ResourceStack()
  const lines: string[] = []
  const output = { write: (line: string) => lines.push(line) }
  const log = createLog({ name: 'auth', level: 'warn', json: true, output })
  const host = { home, folder: home.path('auth'), clock, random, log }
  const { records, sessionKeys } = await openAccountStore(resources, host)
  const accounts = new Accounts({ records, passwords: new PasswordHasher(), clock, random })
  const values = await Promise.all(
    ROSTER_KEYS.map(async (key) => [key, (await records.get(key))?.value] as const),
  )
  const roster = parseRoster(new Map(values.filter(([, value]) => value !== undefined)))
  return { resources, lines, accounts, sessionKeys, roster }
}

test('should know the users, sessions and workers of a home of an earlier version', async (t) => {
  const { home, folder, users, keyId, sequence } = await earlierHome(t)
  t.ok((await readdir(folder)).includes('session.key'))
  for (const start of ['first', 'second']) {
    const { resources, lines, accounts, sessionKeys, roster } = await opened(home)
    try {
      t.is(sessionKeys.keyId, keyId, `${start} start`)
      t.is(roster?.sequence, sequence)
      t.ok((roster?.list.size ?? 0) > 1)
      for (const [name, userId] of Object.entries(users)) {
        t.alike(await accounts.authenticate(createAccount(name), createAsker()), { userId })
      }
      t.alike(lines, [])
    } finally {
      await resources.close()
    }
  }
  const names = (await readdir(folder)).sort()
  t.alike(names, ['store', 'store.trace', 'store.witness'], 'nothing is kept twice')
})

test('should refuse a home of an earlier version whose store is gone', async (t) => {
  const { home, folder } = await earlierHome(t)
  for (const name of ['store', 'store.witness']) await rm(join(folder, name), { recursive: true })
  await rm(home.path('mesh', 'auth-store.guard'))
  const before = await contentOf(home.directory)
  await t.exception(opened(home), { code: 'STORE_DAMAGED' })
  t.alike(await contentOf(home.directory), before)
})

test('should go on when the list of workers of an earlier version is damaged', async (t) => {
  const { home, folder, keyId } = await earlierHome(t)
  await writeFile(join(folder, 'roster.json'), 'not JSON', { mode: 0o600 })
  const { resources, lines, sessionKeys, roster } = await opened(home)
  await resources.close()
  t.is(sessionKeys.keyId, keyId)
  t.is(roster, undefined)
  t.ok(lines.some((line) => line.includes('cannot be read')))
})
