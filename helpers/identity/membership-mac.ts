import sodium from 'sodium-native'
import type { Session, SessionSide } from './hello-proof.js'

/** The length of the key and of the MAC: BLAKE2b-256. */
const MAC_BYTES = 32

/**
 * The key that {@link createMembershipMac} is made with. It is derived from the mesh secret, so that the
 * connections of a worker need not hold the secret itself.
 *
 * @param secret the mesh secret, 32 bytes
 * @returns 32 bytes
 */
export function membershipKeyOf(secret: Uint8Array): Uint8Array {
  return mac(secret, 'starling/membership-key/1', new Uint8Array(0))
}

/**
 * Proves to another member that the sender knows the mesh secret, for one session and one side of it.
 * To all others it is a random number: it does not reveal the mesh, the role or the name of its sender.
 * It is keyed BLAKE2b-256 (RFC 7693) over the side and the Noise handshake hash.
 */
export function createMembershipMac(
  key: Uint8Array,
  session: Session,
  side: SessionSide,
): Uint8Array {
  return mac(key, `starling/membership-mac/2/${side}`, session.handshakeHash)
}

/** Whether the MAC was made with the key, for that side of exactly this session. Takes constant time. */
export function isMembershipMac(
  received: Uint8Array,
  key: Uint8Array,
  session: Session,
  side: SessionSide,
): boolean {
  if (received.byteLength !== MAC_BYTES) return false
  return sodium.sodium_memcmp(received, createMembershipMac(key, session, side))
}

/** The zero byte ends the purpose, so that a purpose and a message cannot be divided differently. */
function mac(key: Uint8Array, purpose: string, message: Uint8Array): Uint8Array {
  const output = Buffer.alloc(MAC_BYTES)
  const input = Buffer.concat([Buffer.from(purpose), Buffer.alloc(1), message])
  sodium.crypto_generichash(output, input, key)
  return output
}
