import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../../facilities/clock/random.js'
import { SystemClock } from '../../../../../facilities/clock/system-clock.js'
import { RosterFile } from '../../../../../facilities/network/discovery/roster-file.js'
import { RosterAuthority, rosterOf } from '../../../../helpers/network/roster-scene.js'

const authority = new RosterAuthority()

async function scene(t: Test) {
  const folder = await t.tmp()
  const path = join(folder, 'roster.json')
  const failures: unknown[] = []
  const open = () =>
    new RosterFile({
      path,
      clock: new SystemClock(),
      random: new SystemRandom(),
      onFailed: (error) => failures.push(error),
    })
  return { folder, path, failures, open }
}

test('should give the roster back to another process, in a file of the owner alone', async (t) => {
  const { path, failures, open } = await scene(t)
  t.is(await open().load(), null)
  const roster = authority.sign(rosterOf(40), 3)
  t.alike(await open().save(roster), roster)
  t.alike(await open().load(), roster)
  t.is((await stat(path)).mode & 0o777, 0o600)
  t.alike(failures, [])
})

test('should keep the highest sequence when several processes save at a time', async (t) => {
  const { folder, failures, open } = await scene(t)
  const rosters = [4, 9, 2, 7].map((sequence) => authority.sign(rosterOf(1), sequence))
  await Promise.all(rosters.map((roster) => open().save(roster)))
  t.is((await open().load())?.sequence, 9)
  t.is((await open().save(authority.sign([], 8))).sequence, 9, 'the newer one is returned')
  t.alike((await readdir(folder)).sort(), ['roster.json', 'roster.json.lock'])
  t.alike(failures, [])
})

test('should report a damaged file and replace it', async (t) => {
  const { path, failures, open } = await scene(t)
  await writeFile(path, '{"version":1,"sequence":-1}', { mode: 0o600 })
  t.is(await open().load(), null)
  t.is(Object(failures[0]).code, 'INVALID_REQUEST')
  await open().save(authority.sign([], 1))
  t.ok((await readFile(path, 'utf8')).includes('"sequence":1'))
})

test('should read no more than a roster can have', async (t) => {
  const { path, failures, open } = await scene(t)
  await open().save(authority.sign(rosterOf(1_024), 2))
  t.is((await open().load())?.pages.length, 37, 'the largest roster fits')
  await writeFile(path, ' '.repeat(65_537), { mode: 0o600 })
  t.is(await open().load(), null)
  t.is(Object(failures[0]).code, 'HOME_UNUSABLE')
})

test('should report that it cannot be written, and not fail', async (t) => {
  const { failures } = await scene(t)
  const file = new RosterFile({
    path: '/proc/roster.json',
    clock: new SystemClock(),
    random: new SystemRandom(),
    onFailed: (error) => failures.push(error),
  })
  const roster = authority.sign([], 1)
  t.alike(await file.save(roster), roster)
  t.is(failures.length, 1)
})
