import test from 'brittle'
import fc from 'fast-check'
import { verifyCertificate } from '../../../../helpers/identity/certificate.js'
import {
  createHelloProof,
  isHelloProof,
  type Session,
  type SessionSide,
} from '../../../../helpers/identity/hello-proof.js'
import { MeshAuthority, newKeyPair } from '../../../helpers/network/mesh-authority.js'
import { codeThrownBy, ensure, holds } from '../../../helpers/property.js'

const NOW_MS = Date.UTC(2026, 0, 1)

/** One bit of these bytes, turned. */
function turn(bytes: Uint8Array, bit: number): Uint8Array {
  const changed = Buffer.from(bytes)
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return changed
}

function bitOf(bytes: Uint8Array, where: number): number {
  return Math.floor(where * bytes.byteLength * 8)
}

const position = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const sides = fc.constantFrom<SessionSide>('initiator', 'responder')

test('should refuse a certificate when any bit of it, of its signature or of the keys is turned', async (t) => {
  const authority = new MeshAuthority({ now: () => NOW_MS })
  const keyPair = newKeyPair()
  const genuine = authority.certify(keyPair, ['gateway'])
  const expected = {
    mesh: authority.mesh,
    holderPublicKey: keyPair.publicKey,
    nowMs: NOW_MS,
  }
  t.is(
    codeThrownBy(() => verifyCertificate(genuine, expected)),
    null,
  )
  const part = fc.constantFrom('body', 'signature', 'mesh', 'holder' as const)
  await holds(
    t,
    fc.property(part, position, (changed, where) => {
      const { body, signature } = genuine
      const { publicKey } = authority.root
      const shown = {
        body: changed === 'body' ? turn(body, bitOf(body, where)) : body,
        signature: changed === 'signature' ? turn(signature, bitOf(signature, where)) : signature,
      }
      const mesh = changed === 'mesh' ? turn(publicKey, bitOf(publicKey, where)) : publicKey
      const holder =
        changed === 'holder'
          ? turn(keyPair.publicKey, bitOf(keyPair.publicKey, where))
          : keyPair.publicKey
      const code = codeThrownBy(() =>
        verifyCertificate(shown, {
          mesh: Buffer.from(mesh).toString('hex'),
          holderPublicKey: holder,
          nowMs: NOW_MS,
        }),
      )
      ensure(code === 'CERTIFICATE_INVALID', `${changed}: ${code}`)
    }),
    400,
  )
})

test('should refuse a proof when any bit of it or of its session is turned, or the side is the other', async (t) => {
  const part = fc.constantFrom(
    'proof',
    'handshakeHash',
    'initiatorPublicKey',
    'responderPublicKey',
    'side' as const,
  )
  await holds(
    t,
    fc.property(sides, bytes(64), part, position, (side, handshakeHash, changed, where) => {
      const [initiator, responder] = [newKeyPair(), newKeyPair()]
      const session: Session = {
        handshakeHash,
        initiatorPublicKey: initiator.publicKey,
        responderPublicKey: responder.publicKey,
      }
      const { secretKey } = side === 'initiator' ? initiator : responder
      const proof = createHelloProof(session, side, secretKey)
      ensure(isHelloProof(proof, session, side), 'the genuine one is refused')
      const shown = changed === 'proof' ? turn(proof, bitOf(proof, where)) : proof
      const other: SessionSide = side === 'initiator' ? 'responder' : 'initiator'
      const seen =
        changed === 'proof' || changed === 'side'
          ? session
          : { ...session, [changed]: turn(session[changed], bitOf(session[changed], where)) }
      const isAccepted = isHelloProof(shown, seen, changed === 'side' ? other : side)
      ensure(!isAccepted, `it is accepted with another ${changed}`)
    }),
    300,
  )
})
