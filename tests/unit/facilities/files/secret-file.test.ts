import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { loadOrCreateSecret } from '../../../../facilities/files/secret-file.js'

const random = new SystemRandom()
const newSecret = () => random.bytes(32)

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
  t.is(new Set(secrets.map((secret) => secret.toString('hex'))).size, 1)
  t.alike(await readFile(path), secrets[0])
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
  t.alike(again, first)
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
  t.is(String(await loadOrCreateSecret(path, random, newSecret)), 'secret')
})

test('should say so when the secret can be neither read nor made', async (t) => {
  const folder = await t.tmp()
  await writeFile(join(folder, 'file'), '')
  const inTheWay = join(folder, 'file', 'root.key')
  await mkdir(join(folder, 'folder'), { mode: 0o700 })
  for (const path of [inTheWay, join(folder, 'missing', 'root.key')]) {
    await t.exception(loadOrCreateSecret(path, random, newSecret), {
      code: 'HOME_UNUSABLE',
      message: `${path} can neither be read nor created`,
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
