import { mkdir, writeFile } from 'node:fs/promises'
import test, { type Test } from 'brittle'
import { Home } from '../../../../facilities/home/home.js'
import { MeshLock, runningWorkers } from '../../../../facilities/home/running-workers.js'
import { WorkerFolder } from '../../../../facilities/home/worker-folder.js'
import type { Role } from '../../../../helpers/identity/roles.js'

async function worker(t: Test, home: Home, role: Role): Promise<WorkerFolder> {
  const folder = new WorkerFolder(home, role, { single: false })
  t.teardown(() => folder.close(), { order: -1 })
  await folder.ready()
  return folder
}

test('should name the workers that run, and none that have ended', async (t) => {
  const home = await Home.open(await t.tmp())
  t.alike([...(await runningWorkers(home))], [])
  const [first] = [
    await worker(t, home, 'processor'),
    await worker(t, home, 'processor'),
    await worker(t, home, 'auth'),
    await worker(t, home, 'client'),
  ]
  t.alike([...(await runningWorkers(home))].sort(), ['auth', 'processor', 'processor-2'])
  await first?.close()
  t.alike([...(await runningWorkers(home))].sort(), ['auth', 'processor-2'])
})

test('should leave the place of a worker free when it has looked', async (t) => {
  const home = await Home.open(await t.tmp())
  await (await worker(t, home, 'auth')).close()
  await runningWorkers(home)
  t.is((await worker(t, home, 'auth')).name, 'auth')
})

test('should not stumble over what is no folder of a worker', async (t) => {
  const home = await Home.open(await t.tmp())
  await writeFile(home.path('auth'), '')
  await mkdir(home.path('gateway', 'lock'), { recursive: true })
  await mkdir(home.path('processor'))
  await mkdir(home.path('models'))
  t.alike([...(await runningWorkers(home))], [])
})

test('should let one mesh at a time look after a home', async (t) => {
  const home = await Home.open(await t.tmp())
  const [one, other, next] = [new MeshLock(home), new MeshLock(home), new MeshLock(home)]
  await one.ready()
  await other.ready()
  t.alike([one.isHeld, other.isHeld], [true, false])
  await other.close()
  await one.close()
  await next.ready()
  t.ok(next.isHeld)
  await next.close()
})
