import sodium from 'sodium-native'
import { type KeyPair, keyPairFromSeed } from '../identity/key-pair.js'
import { isSignedBy, sign } from '../identity/signature.js'

const PURPOSE = 'starling/roster-key/1'

/** The public key that signs the roster of a mesh, and the signature of the root key over it. */
export interface RosterKeyCertificate {
  /** 32 bytes. Also the address of the roster in the DHT. */
  readonly publicKey: Uint8Array
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/**
 * The key pair that signs the roster. It is derived from the root key, so that an auth worker whose
 * folder was lost continues with the same key.
 *
 * @param root the root key pair of the mesh; the first half of its secret key is the seed
 */
export function deriveRosterKey(root: KeyPair): KeyPair {
  const seed = Buffer.alloc(32)
  sodium.crypto_generichash(seed, Buffer.from(PURPOSE), root.secretKey.subarray(0, 32))
  return keyPairFromSeed(seed)
}

/** States with the root key that a public key signs the roster. */
export function certifyRosterKey(root: KeyPair, publicKey: Uint8Array): RosterKeyCertificate {
  return { publicKey, signature: sign(PURPOSE, publicKey, root.secretKey) }
}

/**
 * Whether the root key of a mesh has certified this key.
 *
 * @param mesh the root public key, hexadecimal
 */
export function isRosterKeyOf(mesh: string, certificate: RosterKeyCertificate): boolean {
  const root = Buffer.from(mesh, 'hex')
  return isSignedBy(root, PURPOSE, certificate.publicKey, certificate.signature)
}
