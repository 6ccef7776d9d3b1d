import test from 'brittle'
import { topicOf } from '../../../../facilities/network/discovery/announcement.js'
import type { Session } from '../../../../helpers/identity/hello-proof.js'
import {
  createMembershipMac,
  isMembershipMac,
  membershipKeyOf,
} from '../../../../helpers/identity/membership-mac.js'
import { newKeyPair } from '../../../helpers/network/mesh-authority.js'

const session: Session = {
  handshakeHash: Buffer.alloc(64, 7),
  initiatorPublicKey: newKeyPair().publicKey,
  responderPublicKey: newKeyPair().publicKey,
}
const secret = Buffer.alloc(32, 1)
const key = membershipKeyOf(secret)
const mac = createMembershipMac(key, session, 'initiator')

test('should accept the MAC of either side when it belongs to the session', (t) => {
  t.is(mac.byteLength, 32)
  t.ok(isMembershipMac(mac, key, session, 'initiator'))
  const other = createMembershipMac(key, session, 'responder')
  t.ok(isMembershipMac(other, key, session, 'responder'))
})

test('should refuse the MAC when it is of another side, session or mesh', (t) => {
  t.absent(isMembershipMac(mac, key, session, 'responder'), 'reflected')
  const later = { ...session, handshakeHash: Buffer.alloc(64, 8) }
  t.absent(isMembershipMac(mac, key, later, 'initiator'), 'replayed')
  const ofOthers = membershipKeyOf(Buffer.alloc(32, 2))
  t.absent(isMembershipMac(mac, ofOthers, session, 'initiator'), 'of another mesh')
})

test('should refuse the MAC when it has another length or any other bit', (t) => {
  for (const sizeBytes of [0, 1, 31, 33, 64]) {
    const cut = Buffer.concat([mac, mac]).subarray(0, sizeBytes)
    t.absent(isMembershipMac(cut, key, session, 'initiator'), `${sizeBytes} bytes`)
  }
  for (let bit = 0; bit < 256; bit += 1) {
    const changed = Buffer.from(mac)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    if (isMembershipMac(changed, key, session, 'initiator')) t.fail(`bit ${bit}`)
  }
})

test('should derive a key that is neither the secret nor a topic', (t) => {
  t.is(key.byteLength, 32)
  t.unlike(key, secret)
  t.unlike(key, topicOf(secret, 'gateway'))
})
