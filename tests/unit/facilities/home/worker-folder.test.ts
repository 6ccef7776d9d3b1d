import { mkdir } from 'node:fs/promises'
import test, { type Test } from 'brittle'
import { Home } from '../../../../facilities/home/home.js'
import { WorkerFolder } from '../../../../facilities/home/worker-folder.js'
import type { Role } from '../../../../helpers/identity/roles.js'
import { Cleanup } from '../../../helpers/cleanup.js'

async function scene(t: Test) {
  const cleanup = new Cleanup(t)
  const home = await Home.open(await t.tmp())
  const open = async (role: Role, single = false) => {
    const folder = new WorkerFolder(home, role, { single })
    cleanup.add(() => folder.close())
    await folder.ready()
    return folder
  }
  return { home, open }
}

test('should number the folders when workers of one role share a home', async (t) => {
  const { home, open } = await scene(t)
  const first = await open('processor')
  const second = await open('processor')
  const gateway = await open('gateway')
  t.is(first.name, 'processor')
  t.is(first.path, home.path('processor'))
  t.is(second.name, 'processor-2')
  t.is(second.path, home.path('processor-2'))
  t.is(gateway.name, 'gateway')
})

test('should have each a folder of its own when many start at once', async (t) => {
  const { open } = await scene(t)
  const all = await Promise.all(Array.from({ length: 8 }, () => open('processor')))
  t.is(new Set(all.map(({ name }) => name)).size, 8)
})

test('should give a folder to the next one when its worker has closed', async (t) => {
  const { open } = await scene(t)
  const first = await open('processor')
  const second = await open('processor')
  await first.close()
  t.is((await open('processor')).name, 'processor')
  await second.close()
  t.is((await open('processor')).name, 'processor-2')
})

test('should refuse a second worker when the role may run only once', async (t) => {
  const { home, open } = await scene(t)
  const first = await open('auth', true)
  await t.exception(open('auth', true), {
    code: 'HOME_IN_USE',
    message: `${home.path('auth')} is in use by another auth worker`,
  })
  await first.close()
  t.is((await open('auth', true)).name, 'auth')
})

test('should say so when the lock cannot be written', async (t) => {
  const { home, open } = await scene(t)
  await mkdir(home.path('gateway', 'lock'), { recursive: true })
  await t.exception(open('gateway'), { code: 'HOME_UNUSABLE' })
  await t.exception(open('gateway'), /lock is a folder, not a regular file/)
})

test('should close without harm when it was never opened', async (t) => {
  const { home } = await scene(t)
  const folder = new WorkerFolder(home, 'auth', { single: true })
  await folder.close()
  t.is(folder.path, '')
})
