import test, { type Test } from 'brittle'
import { ResourceStack } from '../../../../facilities/process/resource-stack.js'
import { openClientHost, openWorkerHost } from '../../../../facilities/process/worker-host.js'
import { verifyCertificate } from '../../../../helpers/identity/certificate.js'
import { Cleanup } from '../../../helpers/cleanup.js'

async function scene(t: Test) {
  const cleanup = new Cleanup(t)
  const resources = new ResourceStack()
  cleanup.add(() => resources.close())
  return { home: await t.tmp(), resources }
}

test('should belong to one mesh when a home is shared', async (t) => {
  const { home, resources } = await scene(t)
  const options = { home, json: false, single: false }
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
  const options = { home, json: false, role: 'auth', single: true } as const
  await openWorkerHost(resources, options)
  const others = new ResourceStack()
  await t.exception(openWorkerHost(others, options), { code: 'HOME_IN_USE' })
  await resources.close()
  t.is((await openWorkerHost(others, options)).folder, `${home}/auth`)
  await others.close()
})

test('should let any number of clients in when they share a home', async (t) => {
  const { home } = await scene(t)
  const [one, other] = await Promise.all([
    openClientHost({ home, json: true }),
    openClientHost({ home, json: true }),
  ])
  t.alike(one.identity.keyPair, other.identity.keyPair)
})

test('should log less for a client when no level is set', async (t) => {
  const { home, resources } = await scene(t)
  const settings = { home, json: false }
  const worker = { ...settings, role: 'gateway', single: false } as const
  t.is((await openWorkerHost(resources, worker)).log.level, 'info')
  t.is((await openClientHost(settings)).log.level, 'warn')
  t.is((await openClientHost({ ...settings, logLevel: 'debug' })).log.level, 'debug')
})
