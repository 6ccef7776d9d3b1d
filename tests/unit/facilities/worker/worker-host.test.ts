import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { ResourceStack } from '../../../../facilities/worker/resource-stack.js'
import { openClientHost, openWorkerHost } from '../../../../facilities/worker/worker-host.js'
import { verifyCertificate } from '../../../../helpers/identity/certificate.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { foundMesh, NETWORK } from '../../../helpers/workers/mesh-home.js'

async function scene(t: Test) {
  const cleanup = new Cleanup(t)
  const resources = new ResourceStack()
  cleanup.add(() => resources.close())
  return { home: await t.tmp(), resources }
}

test('should belong to one mesh when a home is shared', async (t) => {
  const { home, resources } = await scene(t)
  const options = { home, json: false, network: NETWORK, single: false }
  const gateway = await openWorkerHost(resources, { ...options, role: 'gateway' })
  const processor = await openWorkerHost(resources, { ...options, role: 'processor' })
  const client = await openClientHost(options)
  t.alike(processor.secret, gateway.secret)
  for (const host of [gateway, processor, client]) {
    const certificate = verifyCertificate(host.identity.certificate(), {
      mesh: gateway.identity.mesh,
      holderPublicKey: host.identity.keyPair.publicKey,
      nowMs: host.clock.now(),
    })
    t.alike(certificate.roles, [host.role])
  }
  t.is(gateway.folder, `${home}/gateway`)
  t.is(client.folder, `${home}/client`)
})

test('should hold its folder until its resources are closed', async (t) => {
  const { home, resources } = await scene(t)
  const options = { home, json: false, network: NETWORK, role: 'auth', single: true } as const
  await openWorkerHost(resources, options)
  const others = new ResourceStack()
  await t.exception(openWorkerHost(others, options), { code: 'HOME_IN_USE' })
  await resources.close()
  t.is((await openWorkerHost(others, options)).folder, `${home}/auth`)
  await others.close()
})

test('should let any number of clients in when they share a home', async (t) => {
  const { home } = await scene(t)
  await foundMesh(home)
  const [one, other] = await Promise.all([
    openClientHost({ home, json: true, network: NETWORK }),
    openClientHost({ home, json: true, network: NETWORK }),
  ])
  t.alike(one.identity.keyPair, other.identity.keyPair)
})

test('should find no mesh for a client, and begin none, when no worker has', async (t) => {
  const { home } = await scene(t)
  for (const directory of [home, join(home, 'missing'), join(home, 'deep', 'missing')]) {
    await t.exception(openClientHost({ home: directory, json: false, network: NETWORK }), {
      code: 'MESH_NOT_FOUND',
      message: `There is no mesh in ${directory}`,
    })
  }
  t.alike(await readdir(home), [])
  // The folder of something else, or of a worker that is only just beginning.
  for (const path of ['version', 'mesh', 'mesh/root.key']) {
    if (path === 'mesh') await mkdir(join(home, path))
    else
      await writeFile(join(home, path), path === 'version' ? '1' : 'ab'.repeat(32), { mode: 0o600 })
    await t.exception(openClientHost({ home, json: false, network: NETWORK }), {
      code: 'MESH_NOT_FOUND',
    })
  }
  t.alike((await readdir(home, { recursive: true })).sort(), ['mesh', 'mesh/root.key', 'version'])
})

test('should find the mesh of a home that an older version made', async (t) => {
  const { home } = await scene(t)
  await foundMesh(home)
  const { identity } = await openClientHost({ home, json: false, network: NETWORK })
  await rm(join(home, 'mesh', 'mesh.json'))
  const later = await openClientHost({ home, json: false, network: NETWORK })
  t.is(later.identity.mesh, identity.mesh)
})

test('should refuse a home for a client as for everybody else', async (t) => {
  const { home } = await scene(t)
  await foundMesh(home)
  await rm(join(home, 'mesh', 'root.key'))
  const options = { home, json: false, network: NETWORK }
  await t.exception(openClientHost(options), /root.key is missing/)
  await chmod(home, 0o777)
  await t.exception(openClientHost(options), { code: 'HOME_UNUSABLE' })
})

test('should log less for a client when no level is set', async (t) => {
  const { home, resources } = await scene(t)
  const settings = { home, json: false, network: NETWORK }
  const worker = { ...settings, role: 'gateway', single: false } as const
  t.is((await openWorkerHost(resources, worker)).log.level, 'info')
  t.is((await openClientHost(settings)).log.level, 'warn')
  t.is((await openClientHost({ ...settings, logLevel: 'debug' })).log.level, 'debug')
})
