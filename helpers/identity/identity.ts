import type { Certificate, SignedCertificate } from './certificate.js'
import type { KeyPair } from './key-pair.js'

/** Who a worker is: what it authenticates with, and the mesh that it belongs to. */
export interface Identity {
  /** The root public key of the mesh, hexadecimal. */
  readonly mesh: string
  readonly keyPair: KeyPair
  /** Proves that this worker knows the mesh secret. See membership-mac.ts. */
  readonly membershipKey: Uint8Array
  /** The present certificate. It is renewed while the worker runs. */
  certificate(): SignedCertificate
}

/** The authenticated other end of a connection. */
export interface PeerIdentity {
  readonly publicKey: Uint8Array
  readonly certificate: Certificate
  /** The version of the wire protocol that both ends use. */
  readonly version: number
}
