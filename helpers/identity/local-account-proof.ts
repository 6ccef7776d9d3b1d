import type { KeyPair } from './key-pair.js'
import { isSignedBy, sign } from './signature.js'

const PURPOSE = 'starling/local-account/1'

interface LocalAccount {
  readonly email: string
  readonly password: string
}

/**
 * Proves that an account belongs to the owner of the mesh. Only a process with access to the mesh's root
 * key, which never leaves its home, can create the proof. It is valid for this address and password only.
 *
 * @returns the signature, base64
 */
export function proveLocalAccount(root: KeyPair, account: LocalAccount): string {
  return Buffer.from(sign(PURPOSE, statement(account), root.secretKey)).toString('base64')
}

/**
 * Whether the proof was made by the root key of this mesh for exactly this account.
 *
 * @param mesh the root public key, hexadecimal
 */
export function isLocalAccountProof(proof: string, mesh: string, account: LocalAccount): boolean {
  const root = Buffer.from(mesh, 'hex')
  return isSignedBy(root, PURPOSE, statement(account), Buffer.from(proof, 'base64'))
}

function statement({ email, password }: LocalAccount): Uint8Array {
  return Buffer.from(JSON.stringify([email, password]))
}
