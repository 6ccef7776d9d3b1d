import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import { Home } from '../../../../facilities/home/home.js'

test('should be made for its owner alone when it is not there', async (t) => {
  const directory = join(await t.tmp(), 'deep', 'home')
  const home = await Home.open(directory)
  t.is(home.directory, directory)
  t.is((await stat(directory)).mode & 0o777, 0o700)
  t.is(await readFile(join(directory, 'version'), 'utf8'), '1\n')
})

test('should be opened again when its version is the same', async (t) => {
  const directory = await t.tmp()
  await Home.open(directory)
  t.is((await Home.open(directory)).path('mesh', 'root.key'), join(directory, 'mesh', 'root.key'))
})

test('should be one home when several workers make it at once', async (t) => {
  const directory = join(await t.tmp(), 'home')
  const homes = await Promise.all(Array.from({ length: 10 }, () => Home.open(directory)))
  t.is(homes.length, 10)
  t.is(await readFile(join(directory, 'version'), 'utf8'), '1\n')
})

test('should be refused when another version made it', async (t) => {
  const directory = await t.tmp()
  await writeFile(join(directory, 'version'), '2\n')
  await t.exception(Home.open(directory), {
    code: 'HOME_UNUSABLE',
    message: `${directory} has layout 2; this version needs 1`,
  })
})

test('should be opened when another worker is only just writing the version', async (t) => {
  const directory = await t.tmp()
  await writeFile(join(directory, 'version'), '')
  t.is((await Home.open(directory)).directory, directory)
})

test('should say which path is unusable when something is in the way', async (t) => {
  const folder = await t.tmp()
  const file = join(folder, 'file')
  await writeFile(file, '')
  await t.exception(Home.open(file), {
    code: 'HOME_UNUSABLE',
    message: `The folder ${file} cannot be created: a file is in the way`,
  })
  await t.exception(Home.open(join(file, 'home')), { code: 'HOME_UNUSABLE' })
  const home = join(folder, 'home')
  const version = join(home, 'version')
  await mkdir(version, { recursive: true })
  await t.exception(Home.open(home), { code: 'HOME_UNUSABLE' })
  await t.exception(
    Home.open(home),
    new RegExp(`^StarlingError: ${version} is a folder, not a regular file`),
  )
})

test('should give up when nothing can be made where it is to be', async (t) => {
  const link = join(await t.tmp(), 'link')
  await symlink('/nowhere/at/all', link)
  // Below /proc, mkdir says that the folder above is not there.
  for (const directory of [join(link, 'home'), link, '/proc/starling', '/proc/deep/starling']) {
    await t.exception(Home.open(directory), { code: 'HOME_UNUSABLE' }, directory)
  }
  await t.exception(Home.open('/proc/starling'), /ENOENT/)
})

test('should be opened when it is reached by a link', async (t) => {
  const folder = await t.tmp()
  await symlink(folder, join(folder, 'link'))
  const home = await Home.open(join(folder, 'link', 'home'))
  t.is(await readFile(home.path('version'), 'utf8'), '1\n')
  t.is((await Home.open(join(folder, 'link'))).directory, join(folder, 'link'))
})

test('should make its folders for the owner alone when they are asked for', async (t) => {
  const home = await Home.open(await t.tmp())
  const path = await home.folder('models', 'inner')
  t.is(path, home.path('models', 'inner'))
  for (const parts of [['models'], ['models', 'inner']]) {
    t.is((await stat(home.path(...parts))).mode & 0o777, 0o700)
  }
  t.is(await home.folder('models', 'inner'), path)
  await writeFile(home.path('logs'), '')
  await t.exception(home.folder('logs'), {
    code: 'HOME_UNUSABLE',
    message: `The folder ${home.path('logs')} cannot be created: a file is in the way`,
  })
})
