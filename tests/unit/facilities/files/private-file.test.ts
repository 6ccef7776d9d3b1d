import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import { z } from 'zod'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import {
  loadOrCreateSecret,
  readPrivateFile,
  readSecret,
  writePrivateFile,
} from '../../../../facilities/files/private-file.js'

const random = new SystemRandom()
const newSecret = () => Buffer.from(random.bytes(32)).toString('hex')
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

test('should be one complete value when many write and read at once', async (t) => {
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

test('should give all the same secret when many make it at a time', async (t) => {
  const folder = await t.tmp()
  const path = join(folder, 'root.key')
  let made = 0
  const secrets = await Promise.all(
    Array.from({ length: 20 }, () =>
      loadOrCreateSecret(path, random, () => {
        made += 1
        return newSecret()
      }),
    ),
  )
  t.ok(made > 1, 'several raced')
  t.is(new Set(secrets.map((secret) => secret)).size, 1)
  t.is(await readFile(path, 'utf8'), secrets[0])
  t.alike(await readdir(folder), ['root.key'], 'no draft is left')
})

test('should be readable by its owner alone when it was made', async (t) => {
  const path = join(await t.tmp(), 'root.key')
  await loadOrCreateSecret(path, random, newSecret)
  t.is((await stat(path)).mode & 0o777, 0o600)
})

test('should make nothing when the secret is there', async (t) => {
  const path = join(await t.tmp(), 'root.key')
  const first = await loadOrCreateSecret(path, random, newSecret)
  const again = await loadOrCreateSecret(path, random, () => {
    throw new Error('made again')
  })
  t.is(again, first)
})

test('should refuse a secret when others than its owner can read it', async (t) => {
  const path = join(await t.tmp(), 'root.key')
  await writeFile(path, 'secret')
  for (const mode of [0o640, 0o604, 0o644, 0o660]) {
    await chmod(path, mode)
    await t.exception(loadOrCreateSecret(path, random, newSecret), {
      code: 'HOME_UNUSABLE',
      message:
        `${path} contains a secret and is accessible to other users ` +
        `(owner ${process.geteuid?.()}, mode 0${mode.toString(8)}); run: chmod 600 ${path}`,
    })
  }
  await chmod(path, 0o400)
  t.is(await loadOrCreateSecret(path, random, newSecret), 'secret')
})

test('should say so when the secret can be neither read nor made', async (t) => {
  const folder = await t.tmp()
  await writeFile(join(folder, 'file'), '')
  const inTheWay = join(folder, 'file', 'root.key')
  await mkdir(join(folder, 'folder'), { mode: 0o700 })
  const missing = join(folder, 'missing', 'root.key')
  for (const [path, what] of [
    [inTheWay, 'read'],
    [missing, 'created'],
  ] as const) {
    await t.exception(loadOrCreateSecret(path, random, newSecret), {
      code: 'HOME_UNUSABLE',
      message: `${path} cannot be ${what}`,
    })
  }
  const there = loadOrCreateSecret(join(folder, 'folder'), random, newSecret)
  await t.exception(there, /is a folder, not a regular file/)
})

test('should leave nothing behind when the content cannot be made', async (t) => {
  const folder = await t.tmp()
  const failing = loadOrCreateSecret(join(folder, 'root.key'), random, () => {
    throw new Error('no entropy')
  })
  await t.exception(failing, { code: 'HOME_UNUSABLE' })
  t.alike(await readdir(folder), [])
})

test('should refuse a secret when it is longer than any can be', async (t) => {
  const path = join(await t.tmp(), 'root.key')
  await writeFile(path, Buffer.alloc(65_536), { mode: 0o600 })
  t.is((await readSecret(path))?.length, 65_536)
  await writeFile(path, Buffer.alloc(65_537))
  await t.exception(readSecret(path), { code: 'HOME_UNUSABLE' })
})
