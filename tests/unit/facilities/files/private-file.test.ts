import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import { z } from 'zod'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { readPrivateFile, writePrivateFile } from '../../../../facilities/files/private-file.js'

const random = new SystemRandom()
const schema = z.strictObject({ n: z.number() })

test('should give back what was written when it is read', async (t) => {
  const path = join(await t.tmp(), 'session.json')
  t.is(await readPrivateFile(path, schema), undefined)
  await writePrivateFile(path, { n: 1 }, random)
  t.alike(await readPrivateFile(path, schema), { n: 1 })
})

test('should be readable by its owner alone, also when it was not before', async (t) => {
  const path = join(await t.tmp(), 'session.json')
  await writeFile(path, '{"n":0}', { mode: 0o644 })
  await chmod(path, 0o644)
  await writePrivateFile(path, { n: 1 }, random)
  t.is((await stat(path)).mode & 0o777, 0o600)
})

test('should be one of the values, whole, when many write and read at a time', async (t) => {
  const folder = await t.tmp()
  const path = join(folder, 'session.json')
  await writePrivateFile(path, { n: 0 }, random)
  const values = await Promise.all(
    Array.from({ length: 20 }, async (_, n) => {
      const [value] = await Promise.all([
        readPrivateFile(path, schema),
        writePrivateFile(path, { n: n + 1 }, random),
      ])
      return value
    }),
  )
  t.ok(values.every((value) => value !== undefined && value.n >= 0 && value.n <= 20))
  t.alike(await readdir(folder), ['session.json'], 'no draft is left')
})

test('should keep the old content and no draft when the file cannot be replaced', async (t) => {
  const folder = await t.tmp()
  const path = join(folder, 'session.json')
  // A folder in its place cannot be renamed over.
  await mkdir(join(path, 'inner'), { recursive: true })
  await t.exception(writePrivateFile(path, { n: 1 }, random), {
    code: 'HOME_UNUSABLE',
    message: `${path} cannot be written`,
  })
  t.alike(await readdir(folder), ['session.json'])
  t.alike(await readdir(path), ['inner'])
})

test('should say so when the content is damaged', async (t) => {
  const path = join(await t.tmp(), 'session.json')
  for (const content of ['', '{"n":', '{"n":"1"}', '{"n":1,"m":2}', '[]', 'null']) {
    await writeFile(path, content, { mode: 0o600 })
    await t.exception(readPrivateFile(path, schema), {
      code: 'HOME_UNUSABLE',
      message: `${path} is damaged; remove it and log in again`,
    })
    t.is(await readFile(path, 'utf8'), content, 'nothing of it is lost')
  }
})

test('should say so when it cannot be read', async (t) => {
  const path = await t.tmp()
  await t.exception(readPrivateFile(path, schema), { code: 'HOME_UNUSABLE' })
  await t.exception(readPrivateFile(path, schema), /is a folder, not a regular file/)
  const below = join(path, 'file', 'session.json')
  await writeFile(join(path, 'file'), '')
  await t.exception(readPrivateFile(below, schema), {
    code: 'HOME_UNUSABLE',
    message: `${below} cannot be read`,
  })
})
