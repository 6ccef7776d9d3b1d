import { chmod, copyFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import test from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { Home } from '../../../../facilities/home/home.js'
import { findMeshKeys, openMeshKeys, rootKeyOf } from '../../../../facilities/home/mesh-keys.js'

const random = new SystemRandom()

test('should be the same mesh when several workers come first at once', async (t) => {
  const home = await Home.open(await t.tmp())
  const all = await Promise.all(Array.from({ length: 8 }, () => openMeshKeys(home, random)))
  const later = await openMeshKeys(home, random)
  for (const keys of all) t.alike(keys, later)
  t.is(later.mesh, Buffer.from(rootKeyOf(home, later).publicKey).toString('hex'))
  t.is(later.secret.byteLength, 32)
  t.alike((await readdir(home.path('mesh'))).sort(), ['mesh.json', 'root.key', 'secret.key'])
})

test('should be another mesh when the home is another', async (t) => {
  const one = await openMeshKeys(await Home.open(await t.tmp()), random)
  const other = await openMeshKeys(await Home.open(await t.tmp()), random)
  t.not(one.mesh, other.mesh)
  t.unlike(one.secret, other.secret)
  t.unlike(one.secret, one.root?.secretKey.subarray(0, 32), 'the secret does not tell the root key')
})

test('should keep both keys from others when they were made', async (t) => {
  const home = await Home.open(await t.tmp())
  await openMeshKeys(home, random)
  t.is((await stat(home.path('mesh'))).mode & 0o777, 0o700)
  for (const name of ['root.key', 'secret.key']) {
    t.is((await stat(home.path('mesh', name))).mode & 0o777, 0o600)
    t.ok(/^[0-9a-f]{64}\n$/.test(await readFile(home.path('mesh', name), 'utf8')))
  }
})

test('should say what to do when a key is damaged', async (t) => {
  const home = await Home.open(await t.tmp())
  await openMeshKeys(home, random)
  const path = home.path('mesh', 'root.key')
  for (const content of ['', 'rubbish', 'ab'.repeat(31), `${'ab'.repeat(32)}ab`]) {
    await writeFile(path, content)
    await t.exception(openMeshKeys(home, random), {
      code: 'HOME_UNUSABLE',
      message: `${path} contains no key; restore it from a backup, or remove it to create a new one`,
    })
  }
})

test('should refuse a key when others can read it', async (t) => {
  const home = await Home.open(await t.tmp())
  await openMeshKeys(home, random)
  await chmod(home.path('mesh', 'secret.key'), 0o644)
  await t.exception(openMeshKeys(home, random), /is accessible to other users/)
})

test('should refuse a root key when it is that of another mesh, and name both', async (t) => {
  const home = await Home.open(await t.tmp())
  const { mesh } = await openMeshKeys(home, random)
  const stranger = await Home.open(await t.tmp())
  const { mesh: other } = await openMeshKeys(stranger, random)
  await copyFile(stranger.path('mesh', 'root.key'), home.path('mesh', 'root.key'))
  await t.exception(openMeshKeys(home, random), {
    code: 'HOME_UNUSABLE',
    message:
      `${home.path('mesh', 'root.key')} is the root key of the mesh ${other.slice(0, 12)}, but ` +
      `${home.path('mesh', 'mesh.json')} records the mesh ${mesh.slice(0, 12)}; ` +
      'restore the files of one mesh from a backup',
  })
})

test('should refuse a secret when it is that of another mesh', async (t) => {
  const home = await Home.open(await t.tmp())
  await openMeshKeys(home, random)
  const stranger = await Home.open(await t.tmp())
  await openMeshKeys(stranger, random)
  await copyFile(stranger.path('mesh', 'secret.key'), home.path('mesh', 'secret.key'))
  await t.exception(openMeshKeys(home, random), { code: 'HOME_UNUSABLE' })
  await t.exception(openMeshKeys(home, random), /secret.key is not the secret of the mesh/)
})

test('should make no new secret when that of the mesh is lost', async (t) => {
  const home = await Home.open(await t.tmp())
  await openMeshKeys(home, random)
  await rm(home.path('mesh', 'secret.key'))
  await t.exception(openMeshKeys(home, random), { code: 'HOME_UNUSABLE' })
  await t.exception(openMeshKeys(home, random), /secret.key is missing/)
  t.absent((await readdir(home.path('mesh'))).includes('secret.key'))
})

test('should make no new root key when the home of a mesh does not have it', async (t) => {
  const home = await Home.open(await t.tmp())
  const { mesh, secret } = await openMeshKeys(home, random)
  await rm(home.path('mesh', 'root.key'))
  const keys = await openMeshKeys(home, random)
  t.alike(keys, { mesh, secret, root: null })
  t.alike(await findMeshKeys(home), keys)
  t.absent((await readdir(home.path('mesh'))).includes('root.key'))
  await t.exception(() => rootKeyOf(home, keys), { code: 'HOME_UNUSABLE' })
  await t.exception(
    () => rootKeyOf(home, keys),
    /root.key is missing, .*; restore the key from a backup, or move .*mesh away/,
  )
})

test('should write down which keys belong together when an older version made them', async (t) => {
  const home = await Home.open(await t.tmp())
  const keys = await openMeshKeys(home, random)
  await rm(home.path('mesh', 'mesh.json'))
  t.alike(await openMeshKeys(home, random), keys)
  const record = await readFile(home.path('mesh', 'mesh.json'), 'utf8')
  t.is(JSON.parse(record).rootPublicKey, keys.mesh)
  t.absent(record.includes(Buffer.from(keys.secret).toString('hex')))
})

test('should say so when it cannot be read which keys belong together', async (t) => {
  const home = await Home.open(await t.tmp())
  await openMeshKeys(home, random)
  for (const content of ['', '{', '{"version":2}']) {
    await writeFile(home.path('mesh', 'mesh.json'), content)
    await t.exception(openMeshKeys(home, random), { code: 'HOME_UNUSABLE' })
    await t.exception(
      openMeshKeys(home, random),
      /mesh.json is damaged or was written by another version/,
    )
  }
})
