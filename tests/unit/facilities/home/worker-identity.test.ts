import { readFile, stat } from 'node:fs/promises'
import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { Home } from '../../../../facilities/home/home.js'
import {
  type CertificateHolder,
  type IdentitySource,
  RootIdentitySource,
} from '../../../../facilities/home/identity-source.js'
import { openMeshKeys, rootKeyOf } from '../../../../facilities/home/mesh-keys.js'
import { openWorkerIdentity } from '../../../../facilities/home/worker-identity.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  type SignedCertificate,
  verifyCertificate,
} from '../../../../helpers/identity/certificate.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'

const random = new SystemRandom()

async function scene(t: Test) {
  const home = await Home.open(await t.tmp())
  const meshKeys = await openMeshKeys(home, random)
  const clock = new VirtualClock()
  const source = new RootIdentitySource({ root: rootKeyOf(home, meshKeys), clock, random })
  const open = async (name = 'gateway', folder = name) =>
    openWorkerIdentity(await home.folder(folder), 'gateway', { meshKeys, source, name, random })
  return { home, meshKeys, clock, open }
}

test('should show a certificate that its mesh accepts when it is asked', async (t) => {
  const { meshKeys, clock, open } = await scene(t)
  const identity = await open()
  const { mesh, keyPair } = identity
  t.is(mesh, meshKeys.mesh)
  const certificate = verifyCertificate(identity.certificate(), {
    mesh,
    holderPublicKey: keyPair.publicKey,
    nowMs: clock.now(),
  })
  t.alike(certificate.roles, ['gateway'])
  t.is(certificate.name, 'gateway', 'nothing of the machine')
  t.is(identity.name, 'gateway')
})

test('should say nothing of the machine when it is shown to a peer', async (t) => {
  const { open } = await scene(t)
  const { body } = (await open('processor-2')).certificate()
  const shown = JSON.parse(Buffer.from(body).toString())
  t.alike(Object.keys(shown).sort(), ['expiresAt', 'mesh', 'name', 'publicKey', 'roles', 'serial'])
  t.is(shown.name, 'processor-2')
})

test('should have the same key when the worker is started again', async (t) => {
  const { home, open } = await scene(t)
  const first = await open()
  const again = await open()
  t.alike(again.keyPair, first.keyPair)
  t.unlike((await open('gateway-2')).keyPair, first.keyPair)
  const path = home.path('gateway', 'identity.key')
  t.is((await stat(path)).mode & 0o777, 0o600)
  t.ok(/^[0-9a-f]{64}\n$/.test(await readFile(path, 'utf8')))
})

test('should shorten its name when it is longer than a certificate allows', async (t) => {
  const { open } = await scene(t)
  const identity = await open('g'.repeat(120), 'gateway')
  t.is(identity.name, 'g'.repeat(100))
  t.ok(identity.certificate().body.byteLength > 0)
})

test('should show what its source gives when the certificate is made elsewhere', async (t) => {
  const { home, meshKeys } = await scene(t)
  const asked: CertificateHolder[] = []
  const issued = [1, 2].map((n) => ({ body: Buffer.of(n), signature: Buffer.alloc(64, n) }))
  let present = issued[0]
  const source: IdentitySource = {
    certify: async (holder) => {
      asked.push(holder)
      return () => present as SignedCertificate
    },
  }
  const keys = { ...meshKeys, root: null }
  const options = { meshKeys: keys, source, name: 'gateway-2', random }
  const identity = await openWorkerIdentity(await home.folder('gateway-2'), 'librarian', options)
  const { publicKey } = identity.keyPair
  t.alike(asked, [{ publicKey, role: 'librarian', name: 'gateway-2' }])
  t.is(identity.certificate(), issued[0])
  present = issued[1]
  t.is(identity.certificate(), issued[1], 'renewed')
})

test('should fail when its source has no certificate for it', async (t) => {
  const { home, meshKeys } = await scene(t)
  const source: IdentitySource = {
    certify: () => Promise.reject(new StarlingError('CERTIFICATE_EXPIRED', 'join again')),
  }
  const opened = openWorkerIdentity(await home.folder('gateway'), 'gateway', {
    meshKeys,
    source,
    name: 'gateway',
    random,
  })
  await t.exception(opened, { code: 'CERTIFICATE_EXPIRED' })
})
