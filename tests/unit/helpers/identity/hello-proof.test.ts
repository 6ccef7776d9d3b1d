import test from 'brittle'
import {
  createHelloProof,
  isHelloProof,
  type Session,
} from '../../../../helpers/identity/hello-proof.js'
import { newKeyPair } from '../../../helpers/network/mesh-authority.js'

const initiator = newKeyPair()
const responder = newKeyPair()
const session: Session = {
  handshakeHash: Buffer.alloc(64, 7),
  initiatorPublicKey: initiator.publicKey,
  responderPublicKey: responder.publicKey,
}

test('should accept the proof of either side when it belongs to the session', (t) => {
  const ofInitiator = createHelloProof(session, 'initiator', initiator.secretKey)
  const ofResponder = createHelloProof(session, 'responder', responder.secretKey)
  t.ok(isHelloProof(ofInitiator, session, 'initiator'))
  t.ok(isHelloProof(ofResponder, session, 'responder'))
})

test('should refuse the proof when it is reflected to its maker', (t) => {
  const proof = createHelloProof(session, 'initiator', initiator.secretKey)
  t.absent(isHelloProof(proof, session, 'responder'))
  const toMyself = { ...session, responderPublicKey: initiator.publicKey }
  const mine = createHelloProof(toMyself, 'initiator', initiator.secretKey)
  t.absent(isHelloProof(mine, toMyself, 'responder'), 'even where both ends have one key')
})

test('should refuse the proof when it was made in another session', (t) => {
  const proof = createHelloProof(session, 'initiator', initiator.secretKey)
  const others: Session[] = [
    { ...session, handshakeHash: Buffer.alloc(64, 8) },
    { ...session, responderPublicKey: newKeyPair().publicKey },
  ]
  for (const other of others) t.absent(isHelloProof(proof, other, 'initiator'))
})

test('should refuse the proof when another key made it', (t) => {
  const proof = createHelloProof(session, 'initiator', newKeyPair().secretKey)
  t.absent(isHelloProof(proof, session, 'initiator'))
})

test('should refuse what is no signature when it is shown as a proof', (t) => {
  for (const sizeBytes of [0, 63, 64, 65]) {
    t.absent(isHelloProof(Buffer.alloc(sizeBytes), session, 'initiator'))
  }
})
