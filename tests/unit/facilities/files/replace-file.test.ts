import fs from 'node:fs'
import { mkdir, open, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import sinon from 'sinon'
import { createFile, replaceFile } from '../../../../facilities/files/replace-file.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'

const HOUR_S = 3_600

/** Notes in which order files and folders are synced and renamed. */
async function disk(t: Test) {
  const folder = await t.tmp()
  const path = join(folder, 'x.json')
  const steps: string[] = []
  const handle = await open(folder, 'r')
  const prototype: fs.promises.FileHandle = Object.getPrototypeOf(handle)
  await handle.close()
  const { sync } = prototype
  sinon.stub(prototype, 'sync').callsFake(async function (this: fs.promises.FileHandle) {
    steps.push((await this.stat()).isDirectory() ? 'sync folder' : 'sync file')
    await sync.call(this)
  })
  const { rename } = fs.promises
  sinon.stub(fs.promises, 'rename').callsFake(async (from, to) => {
    steps.push('rename')
    await rename(from, to)
  })
  syncBuiltinESMExports()
  t.teardown(() => {
    sinon.restore()
    syncBuiltinESMExports()
  })
  return { folder, path, steps }
}

test('should sync the content before the file has its name when a file is replaced', async (t) => {
  const { folder, path, steps } = await disk(t)
  await replaceFile(path, 'one')
  t.alike(steps.splice(0), ['sync file', 'rename'])
  await replaceFile(path, Buffer.from('other'), { syncsFolder: true })
  t.alike(steps, ['sync file', 'rename', 'sync folder'])
  t.is(await readFile(path, 'utf8'), 'other')
  t.alike(await readdir(folder), ['x.json'])
})

test('should ask for the next piece once the last is written', async (t) => {
  const { folder, path } = await disk(t)
  const sizes: number[] = []
  function* pieces() {
    for (const piece of ['one ', 'two ', 'three']) {
      yield Buffer.from(piece)
      const [draft = ''] = fs.readdirSync(folder)
      sizes.push(fs.statSync(join(folder, draft)).size)
    }
  }
  await replaceFile(path, pieces())
  t.alike(sizes, [4, 8, 13])
  t.is(await readFile(path, 'utf8'), 'one two three')
})

test('should make the file accessible only to its owner by default', async (t) => {
  const { path } = await disk(t)
  await writeFile(path, '', { mode: 0o644 })
  await replaceFile(path, '')
  t.is((await stat(path)).mode & 0o777, 0o600)
  await replaceFile(path, '', { mode: 0o644 })
  t.is((await stat(path)).mode & 0o777, 0o644)
})

test('should keep the old content and no draft when the new content fails', async (t) => {
  const { folder, path, steps } = await disk(t)
  await writeFile(path, 'before')
  function* pieces() {
    yield Buffer.from('half')
    throw new Error('cancelled')
  }
  await t.exception(replaceFile(path, pieces()), /cancelled/)
  t.is(await readFile(path, 'utf8'), 'before')
  t.alike(await readdir(folder), ['x.json'])
  t.alike(steps, [])
})

test('should report the first failure when the draft cannot be removed either', async (t) => {
  const { folder, path } = await disk(t)
  await mkdir(path)
  sinon.stub(fs.promises, 'rm').rejects(new Error('EROFS: read-only file system'))
  syncBuiltinESMExports()
  await t.exception(replaceFile(path, ''), /EISDIR/)
  t.is((await readdir(folder)).length, 2)
})

test('should not write through a link when the name of the draft is taken', async (t) => {
  const { folder, path } = await disk(t)
  const unique = Buffer.from(new SeededRandom(1).bytes(8)).toString('hex')
  await writeFile(join(folder, 'other'), 'untouched')
  await symlink(join(folder, 'other'), join(folder, `.x.json.${unique}.draft`))
  await t.exception(replaceFile(path, 'new', { random: new SeededRandom(1) }), { code: 'EEXIST' })
  t.is(await readFile(join(folder, 'other'), 'utf8'), 'untouched')
})

test('should remove drafts that are an hour old, and nothing else', async (t) => {
  const { folder, path } = await disk(t)
  const now = (await stat(folder)).mtimeMs / 1000
  const files = { '.old.1.draft': 2 * HOUR_S, '.new.2.draft': HOUR_S / 2, 'z.draft': 2 * HOUR_S }
  for (const [name, age] of Object.entries(files)) {
    await writeFile(join(folder, name), 'half')
    await utimes(join(folder, name), now - age, now - age)
  }
  await replaceFile(path, '')
  t.alike((await readdir(folder)).sort(), ['.new.2.draft', 'x.json', 'z.draft'])
})

test('should not fail when old drafts cannot be looked for', async (t) => {
  const { path } = await disk(t)
  sinon.stub(fs.promises, 'readdir').rejects(new Error('EIO'))
  syncBuiltinESMExports()
  await replaceFile(path, 'new')
  t.is(await readFile(path, 'utf8'), 'new')
})

test('should leave a file as it is when it was created before', async (t) => {
  const { folder, path, steps } = await disk(t)
  await createFile(path, 'first', new SeededRandom(1))
  await createFile(path, 'second', new SeededRandom(2))
  t.is(await readFile(path, 'utf8'), 'first')
  t.is((await stat(path)).mode & 0o777, 0o600)
  t.alike(await readdir(folder), ['x.json'])
  t.alike(steps, ['sync file', 'sync file'])
})
