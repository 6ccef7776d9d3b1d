import { readFile, stat } from 'node:fs/promises'
import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { Home } from '../../../../facilities/home/home.js'
import { openMeshKeys } from '../../../../facilities/home/mesh-keys.js'
import { openWorkerIdentity } from '../../../../facilities/home/worker-identity.js'
import { verifyCertificate } from '../../../../helpers/identity/certificate.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'

const DAY_MS = 24 * 60 * 60 * 1000
const random = new SystemRandom()

async function scene(t: Test) {
  const home = await Home.open(await t.tmp())
  const meshKeys = await openMeshKeys(home, random)
  const clock = new VirtualClock()
  const open = async (name = 'gateway') =>
    openWorkerIdentity(await home.folder(name), 'gateway', { meshKeys, name, clock, random })
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
  t.ok(certificate.serial.startsWith('crt_'))
  t.is(certificate.expiresAt, clock.now() + 30 * DAY_MS)
})

test('should say nothing of the machine when it is shown to a peer', async (t) => {
  const { open } = await scene(t)
  const { body } = (await open('processor-2')).certificate()
  const shown = JSON.parse(Buffer.from(body).toString())
  t.alike(Object.keys(shown).sort(), ['expiresAt', 'mesh', 'name', 'publicKey', 'roles', 'serial'])
  t.is(shown.name, 'processor-2')
})

test('should show the same certificate until half its life is over, and then a new one', async (t) => {
  const { clock, open } = await scene(t)
  const identity = await open()
  const { mesh, keyPair } = identity
  const first = identity.certificate()
  await clock.advance(15 * DAY_MS - 1)
  t.is(identity.certificate(), first)
  await clock.advance(1)
  const second = identity.certificate()
  t.not(second, first)
  const expected = { mesh, holderPublicKey: keyPair.publicKey, nowMs: clock.now() }
  const [before, after] = [verifyCertificate(first, expected), verifyCertificate(second, expected)]
  t.is(after.expiresAt, clock.now() + 30 * DAY_MS)
  t.not(after.serial, before.serial)
  t.is(identity.certificate(), second)
})

test('should never show one that has ended when it is asked after a long pause', async (t) => {
  const { clock, open } = await scene(t)
  const identity = await open()
  identity.certificate()
  await clock.advance(400 * DAY_MS)
  const { expiresAt } = verifyCertificate(identity.certificate(), {
    mesh: identity.mesh,
    holderPublicKey: identity.keyPair.publicKey,
    nowMs: clock.now(),
  })
  t.ok(expiresAt > clock.now())
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
  const { meshKeys, clock, home } = await scene(t)
  const name = 'g'.repeat(120)
  const identity = await openWorkerIdentity(await home.folder('gateway'), 'gateway', {
    meshKeys,
    name,
    clock,
    random,
  })
  t.is(identity.name, 'g'.repeat(100))
  t.ok(identity.certificate().body.byteLength > 0)
})
