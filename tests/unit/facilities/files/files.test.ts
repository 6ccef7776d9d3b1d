import fs from 'node:fs'
import { chmod, mkdir, readFile, stat, symlink } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import sinon from 'sinon'
import { type DurableFile, type Files, SystemFiles } from '../../../../facilities/files/files.js'
import { MemoryFiles } from '../../../helpers/storage/memory-files.js'
import { rejectionOf } from '../../../helpers/until.js'

/** Files on a disk, and files in memory, which have to behave in the same way. */
const FORMS = {
  'on a disk': async (t: Test) => ({ files: new SystemFiles(), folder: await t.tmp() }),
  'in memory': async () => ({ files: new MemoryFiles(), folder: '/memory' }),
} as const

async function opened(t: Test, files: Files, path: string): Promise<DurableFile> {
  const file = await files.open(path)
  if (file === undefined) throw new Error(`There is no ${path}`)
  t.teardown(() => file.close())
  return file
}

async function textOf(file: DurableFile): Promise<string> {
  return Buffer.from(await file.read(0, await file.length())).toString()
}

for (const [form, create] of Object.entries(FORMS)) {
  test(`should give back what was written when a file is ${form}`, async (t) => {
    const { files, folder } = await create(t)
    const path = join(folder, 'journal')
    t.is(await files.open(path), undefined, 'there is none yet')
    await files.replace(path, Buffer.from('one'))
    const file = await opened(t, files, path)
    t.is(await textOf(file), 'one')
    await file.write(3, Buffer.from(' two'))
    await file.write(0, Buffer.from('ONE'))
    await file.sync()
    t.is(await textOf(file), 'ONE two')
    t.is(await file.length(), 7)
  })

  test(`should read less when the end comes first and the file is ${form}`, async (t) => {
    const { files, folder } = await create(t)
    await files.replace(join(folder, 'journal'), Buffer.from('one'))
    const file = await opened(t, files, join(folder, 'journal'))
    t.is(Buffer.from(await file.read(1, 100)).toString(), 'ne')
    t.is((await file.read(3, 100)).byteLength, 0)
    t.is((await file.read(9, 1)).byteLength, 0)
  })

  test(`should shorten, extend and leave zeros in a gap when a file is ${form}`, async (t) => {
    const { files, folder } = await create(t)
    await files.replace(join(folder, 'journal'), Buffer.from('abcdef'))
    const file = await opened(t, files, join(folder, 'journal'))
    await file.truncate(2)
    t.is(await textOf(file), 'ab')
    await file.truncate(3)
    await file.write(5, Buffer.from('x'))
    await file.sync()
    t.is(await textOf(file), 'ab\0\0\0x')
  })

  test(`should replace and remove whole files when they are ${form}`, async (t) => {
    const { files, folder } = await create(t)
    const path = join(folder, 'journal')
    await files.replace(path, Buffer.from('a long content'))
    await files.replace(path, Buffer.from('short'))
    t.is(await textOf(await opened(t, files, path)), 'short')
    t.ok(await files.remove(path))
    t.absent(await files.remove(path))
    t.is(await files.open(path), undefined)
  })

  test(`should refuse to use a file that was closed when it is ${form}`, async (t) => {
    const { files, folder } = await create(t)
    await files.replace(join(folder, 'journal'), Buffer.from('one'))
    const file = await opened(t, files, join(folder, 'journal'))
    await file.close()
    t.ok((await rejectionOf(file.read(0, 1))) instanceof Error)
    t.ok((await rejectionOf(file.write(0, Buffer.from('x')))) instanceof Error)
  })
}

test('should sync a file and the name of a file when they are on a disk', async (t) => {
  const folder = await t.tmp()
  const files = new SystemFiles()
  await files.replace(join(folder, 'journal'), Buffer.from('one'))
  const file = await opened(t, files, join(folder, 'journal'))
  const handle = await fs.promises.open(folder, 'r')
  const prototype: fs.promises.FileHandle = Object.getPrototypeOf(handle)
  await handle.close()
  const datasync = sinon.spy(prototype, 'datasync')
  const sync = sinon.spy(prototype, 'sync')
  syncBuiltinESMExports()
  t.teardown(() => sinon.restore())
  await file.sync()
  t.is(datasync.callCount, 1)
  await files.remove(join(folder, 'journal'))
  t.is(sync.callCount, 1, 'the folder')
})

test('should say what cannot be done with which file when it fails', async (t) => {
  const folder = await t.tmp()
  const files = new SystemFiles()
  await mkdir(join(folder, 'taken'))
  await symlink(join(folder, 'elsewhere'), join(folder, 'link'))
  await files.replace(join(folder, 'open'), Buffer.from('x'))
  await chmod(join(folder, 'open'), 0o666)
  const missing = join(folder, 'missing', 'journal')
  const open = (path: string) => files.open(path)
  const failures: readonly [(path: string) => Promise<unknown>, string][] = [
    [open, join(folder, 'taken')],
    [open, join(folder, 'link')],
    [open, join(folder, 'open')],
    [(path) => files.replace(path, Buffer.from('x')), missing],
    [(path) => files.remove(path), join(folder, 'taken')],
  ]
  for (const [action, path] of failures) {
    const error = await rejectionOf(action(path))
    t.is(Object(error).code, 'HOME_UNUSABLE', path)
    t.ok(String(error).includes(path), String(error))
  }
})

test('should report a full disk as such when a file is written', async (t) => {
  const path = join(await t.tmp(), 'journal')
  const files = new SystemFiles()
  await files.replace(path, Buffer.from('one'))
  const file = await opened(t, files, path)
  const handle = await fs.promises.open(path, 'r')
  const prototype: fs.promises.FileHandle = Object.getPrototypeOf(handle)
  await handle.close()
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
  })
  const write = sinon.stub(prototype, 'write').rejects(full)
  t.teardown(() => write.restore())
  await t.exception(file.write(0, Buffer.from('two')), { code: 'DISK_FULL' })
  write.restore()
  t.is(await readFile(path, 'utf8'), 'one')
})

test('should keep files to their owner when it makes them', async (t) => {
  const path = join(await t.tmp(), 'journal')
  await new SystemFiles().replace(path, Buffer.from('one'))
  t.is((await stat(path)).mode & 0o777, 0o600)
})
