import test from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { RootIdentitySource } from '../../../../facilities/home/identity-source.js'
import {
  type SignedCertificate,
  verifyCertificate,
} from '../../../../helpers/identity/certificate.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { MeshAuthority, newKeyPair } from '../../../helpers/network/mesh-authority.js'

const DAY_MS = 24 * 60 * 60 * 1000

async function scene(role = 'gateway') {
  const clock = new VirtualClock()
  const { mesh, root } = new MeshAuthority(clock)
  const source = new RootIdentitySource({ root, clock, random: new SystemRandom() })
  const { publicKey } = newKeyPair()
  const present = await source.certify({ publicKey, role, name: `${role}-2` })
  const read = (signed: SignedCertificate) =>
    verifyCertificate(signed, { mesh, holderPublicKey: publicKey, nowMs: clock.now() })
  return { clock, source, present, read }
}

test('should issue a certificate for a month when the home has the root key', async (t) => {
  for (const role of ['gateway', 'librarian']) {
    const { clock, present, read } = await scene(role)
    const { roles, name, serial, expiresAt } = read(present())
    t.alike([roles, name], [[role], `${role}-2`])
    t.ok(serial.startsWith('crt_'))
    t.is(expiresAt, clock.now() + 30 * DAY_MS)
  }
})

test('should give the same certificate until half its life is over, and then a new one', async (t) => {
  const { clock, present, read } = await scene()
  const first = present()
  await clock.advance(15 * DAY_MS - 1)
  t.is(present(), first)
  await clock.advance(1)
  const second = present()
  t.not(second, first)
  t.is(read(second).expiresAt, clock.now() + 30 * DAY_MS)
  t.not(read(second).serial, read(first).serial)
  t.is(present(), second)
})

test('should never give one that has ended when it is asked after a long pause', async (t) => {
  const { clock, present, read } = await scene()
  await clock.advance(400 * DAY_MS)
  t.ok(read(present()).expiresAt > clock.now())
})

test('should fail when no certificate can name the role', async (t) => {
  const { source } = await scene()
  const { publicKey } = newKeyPair()
  await t.exception.all(source.certify({ publicKey, role: 'Gateway', name: 'gateway' }))
})
