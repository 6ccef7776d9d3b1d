import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { FileLock } from '../../../../facilities/files/file-lock.js'
import { SystemFiles } from '../../../../facilities/files/files.js'
import { readSecret } from '../../../../facilities/files/private-file.js'
import { ClientFolder } from '../../../../facilities/home/client-folder.js'
import { Home } from '../../../../facilities/home/home.js'
import { RootIdentitySource } from '../../../../facilities/home/identity-source.js'
import { openMeshKeys, rootKeyOf } from '../../../../facilities/home/mesh-keys.js'
import { WorkerFolder } from '../../../../facilities/home/worker-folder.js'
import { openWorkerIdentity } from '../../../../facilities/home/worker-identity.js'
import { openLogFile } from '../../../../facilities/log/log-file.js'
import { DiskModelStorage } from '../../../../facilities/models/cache/disk-model-storage.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'

const random = new SystemRandom()
const clock = new VirtualClock()

/** One file of a home, and what opens it. */
interface HomeFile {
  readonly path: string
  readonly isSecret: boolean
  readonly open: (home: Home) => Promise<unknown>
}

async function client(home: Home): Promise<ClientFolder> {
  return await ClientFolder.open(home, random)
}

async function identity(home: Home) {
  const meshKeys = await openMeshKeys(home, random)
  const folder = await home.folder('gateway')
  const source = new RootIdentitySource({ root: rootKeyOf(home, meshKeys), clock, random })
  return await openWorkerIdentity(folder, 'gateway', { meshKeys, source, name: 'gateway', random })
}

async function partialFile(home: Home) {
  const file = new DiskModelStorage(home.path('models')).open('x.gguf.partial')
  try {
    await file.write(0, Buffer.from('GGUF'))
  } finally {
    await file.close()
  }
}

async function lock(home: Home) {
  const folder = new WorkerFolder(home, 'gateway', { single: false })
  try {
    await folder.ready()
  } finally {
    await folder.close()
  }
}

async function log(home: Home) {
  await (await openLogFile(home.path('logs', 'gateway.log'))).close()
}

async function modelLock(home: Home) {
  const options = { clock, onWait: () => undefined }
  await (await FileLock.take(home.path('models', '.x.gguf.lock'), options)).release()
}

const FILES: readonly HomeFile[] = [
  { path: 'version', isSecret: false, open: (home) => Home.open(home.directory) },
  { path: 'mesh/root.key', isSecret: true, open: (home) => openMeshKeys(home, random) },
  { path: 'mesh/secret.key', isSecret: true, open: (home) => openMeshKeys(home, random) },
  { path: 'mesh/mesh.json', isSecret: true, open: (home) => openMeshKeys(home, random) },
  { path: 'gateway/identity.key', isSecret: true, open: identity },
  { path: 'gateway/lock', isSecret: false, open: lock },
  {
    path: 'auth/session.key',
    isSecret: true,
    open: (home) => readSecret(home.path('auth', 'session.key')),
  },
  {
    path: 'auth/store.witness',
    isSecret: false,
    open: (home) => new SystemFiles().open(home.path('auth', 'store.witness')),
  },
  {
    path: 'client/session.json',
    isSecret: true,
    open: async (home) => (await client(home)).session(),
  },
  {
    path: 'client/local-account.json',
    isSecret: true,
    open: async (home) => (await client(home)).ensureLocalAccount(),
  },
  {
    path: 'client/history',
    isSecret: true,
    open: async (home) => (await client(home)).chatHistory.lines(),
  },
  { path: 'logs/gateway.log', isSecret: false, open: log },
  { path: 'models/x.gguf.partial', isSecret: false, open: partialFile },
  { path: 'models/.x.gguf.lock', isSecret: false, open: modelLock },
]

async function emptyHome(directory: string, { path }: HomeFile): Promise<Home> {
  const home = await Home.open(directory)
  await mkdir(dirname(home.path(path)), { recursive: true, mode: 0o700 })
  await rm(home.path(path), { force: true })
  return home
}

for (const file of FILES) {
  test(`should refuse and not wait when a FIFO is in the place of ${file.path}`, async (t) => {
    t.timeout(3_000)
    const home = await emptyHome(await t.tmp(), file)
    execFileSync('mkfifo', [home.path(file.path)])
    await t.exception(file.open(home), { code: 'HOME_UNUSABLE' })
    await t.exception(file.open(home), /is a FIFO/)
  })

  test(`should refuse and write nothing when a link is in the place of ${file.path}`, async (t) => {
    const home = await emptyHome(await t.tmp(), file)
    const elsewhere = await t.tmp()
    for (const target of ['precious', 'missing']) {
      await writeFile(join(elsewhere, 'precious'), 'precious', { mode: 0o600 })
      await symlink(join(elsewhere, target), home.path(file.path))
      await t.exception(file.open(home), { code: 'HOME_UNUSABLE' }, target)
      await t.exception(file.open(home), /is a symbolic link/, target)
      await rm(home.path(file.path))
    }
    t.alike(await readdir(elsewhere), ['precious'])
    t.is(await readFile(join(elsewhere, 'precious'), 'utf8'), 'precious')
  })

  test(`should refuse ${file.path} when others may change it`, async (t) => {
    const home = await emptyHome(await t.tmp(), file)
    await writeFile(home.path(file.path), '1\n')
    for (const mode of file.isSecret ? [0o666, 0o644, 0o640] : [0o666, 0o620]) {
      await chmod(home.path(file.path), mode)
      await t.exception(file.open(home), { code: 'HOME_UNUSABLE' })
      await t.exception(file.open(home), new RegExp(`mode 0${mode.toString(8)}\\); run: chmod `))
    }
  })
}
