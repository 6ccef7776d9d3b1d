import { chmod, chown, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import { openTrustedFile } from '../../../../facilities/files/trusted-file.js'
import { assertTrustedFolder } from '../../../../facilities/files/trusted-folder.js'
import { Home } from '../../../../facilities/home/home.js'

const US = process.geteuid?.() ?? 0
const SOMEBODY = 4711

/** Lets a path belong to somebody else than the user whose id is returned. */
async function ofSomebodyElse(path: string): Promise<number> {
  // Only root can give a file away; everybody else looks at it with the eyes of another user.
  if (US !== 0) return US + 1
  await chown(path, SOMEBODY, SOMEBODY)
  return US
}

test('should refuse a home when others may change it, and say how to fix it', async (t) => {
  const directory = await t.tmp()
  for (const mode of [0o777, 0o775, 0o757, 0o1777]) {
    await chmod(directory, mode)
    await t.exception(Home.open(directory), {
      code: 'HOME_UNUSABLE',
      message:
        `${directory} is writable by other users (owner ${US}, mode ` +
        `${mode.toString(8).padStart(4, '0')}); run: chmod go-w ${directory}`,
    })
    t.alike(await readdir(directory), [], 'nothing is made in it')
  }
  for (const mode of [0o755, 0o711, 0o700]) {
    await chmod(directory, mode)
    t.is((await Home.open(directory)).directory, directory)
  }
})

test('should refuse a folder in the home when others may change it', async (t) => {
  const home = await Home.open(await t.tmp())
  const path = await home.folder('models')
  await chmod(path, 0o777)
  await t.exception(home.folder('models'), {
    code: 'HOME_UNUSABLE',
    message: `${path} is writable by other users (owner ${US}, mode 0777); run: chmod go-w ${path}`,
  })
  await t.exception(home.folder('models', 'inner'), { code: 'HOME_UNUSABLE' })
})

test('should refuse a folder when it belongs to another user', async (t) => {
  const path = await t.tmp()
  const user = await ofSomebodyElse(path)
  const owner = US === 0 ? SOMEBODY : US
  const command = `${user === 0 ? '' : 'sudo '}chown -R ${user} ${path}`
  await t.exception(assertTrustedFolder(path, { parents: false, user }), {
    code: 'HOME_UNUSABLE',
    message:
      `${path} is not owned by user ${user}, which runs this process (owner ${owner}, mode 0755); ` +
      `run: ${command}`,
  })
})

test('should refuse a file when it belongs to another user', async (t) => {
  const path = join(await t.tmp(), 'root.key')
  await writeFile(path, '', { mode: 0o600 })
  const user = await ofSomebodyElse(path)
  for (const isSecret of [true, false]) {
    await t.exception(openTrustedFile(path, 'read', { isSecret, user }), {
      code: 'HOME_UNUSABLE',
    })
  }
})

test('should allow files that are not secret to belong to root', async (t) => {
  const path = join(await t.tmp(), 'version')
  await writeFile(path, '1\n', { mode: 0o644 })
  // As it is seen by another user, when root runs the tests.
  const user = US === 0 ? SOMEBODY : US
  await (await openTrustedFile(path, 'read', { user })).close()
  if (US !== 0) return
  await t.exception(openTrustedFile(path, 'read', { user, isSecret: true }), /is not owned/)
})

test('should look at what a link leads to when the home is one', async (t) => {
  const folder = await t.tmp()
  const target = join(folder, 'target')
  const link = join(folder, 'link')
  await mkdir(target, { mode: 0o700 })
  await symlink(target, link)
  t.is((await Home.open(link)).directory, link)
  await chmod(target, 0o777)
  await t.exception(
    Home.open(link),
    new RegExp(`^StarlingError: ${target} is writable by other users`),
  )
})

test('should look at what a link leads to when a folder of the home is one', async (t) => {
  const home = await Home.open(join(await t.tmp(), 'home'))
  const disk = await t.tmp()
  await symlink(disk, home.path('models'))
  t.is(await home.folder('models'), home.path('models'))
  await chmod(disk, 0o777)
  await t.exception(home.folder('models'), { code: 'HOME_UNUSABLE' })
})

test('should refuse a home when everybody may replace it', async (t) => {
  const above = await t.tmp()
  const directory = join(above, 'home')
  await mkdir(directory, { mode: 0o700 })
  await chmod(above, 0o777)
  await t.exception(Home.open(directory), {
    code: 'HOME_UNUSABLE',
    message:
      `${above} is a parent folder of the home and is writable by everyone (owner ${US}, ` +
      `mode 0777); run: chmod o-w ${above}`,
  })
  // As /tmp is, and as a checkout is that was made with a umask of 002.
  for (const mode of [0o1777, 0o775]) {
    await chmod(above, mode)
    t.is((await Home.open(directory)).directory, directory)
  }
})

test('should quote a path in the command that mends it', async (t) => {
  const directory = join(await t.tmp(), "Ada's home")
  await mkdir(directory)
  await chmod(directory, 0o777)
  const quoted = `'${directory.replace("'", "'\\''")}'`
  await t.exception(
    Home.open(directory),
    new RegExp(`run: chmod go-w ${quoted.replace(/\\/g, '\\\\')}$`),
  )
})
