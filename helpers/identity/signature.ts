import sodium from 'sodium-native'

/**
 * What a signature is for, with its version. It is signed together with the message, so that a signature for one
 * purpose is invalid for another.
 */
export type SignaturePurpose = `starling/${string}/${number}`

/** Signs the exact bytes that will be sent. Ed25519, 64 bytes. */
export function sign(
  purpose: SignaturePurpose,
  message: Uint8Array,
  secretKey: Uint8Array,
): Uint8Array {
  const signature = Buffer.alloc(sodium.crypto_sign_BYTES)
  sodium.crypto_sign_detached(signature, signable(purpose, message), secretKey)
  return signature
}

/** Whether the holder of `publicKey` signed these bytes for this purpose. */
export function isSignedBy(
  publicKey: Uint8Array,
  purpose: SignaturePurpose,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.byteLength !== sodium.crypto_sign_BYTES) return false
  if (publicKey.byteLength !== sodium.crypto_sign_PUBLICKEYBYTES) return false
  return sodium.crypto_sign_verify_detached(signature, signable(purpose, message), publicKey)
}

/** The zero byte ends the purpose, so that a purpose and a message cannot be divided differently. */
function signable(purpose: SignaturePurpose, message: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(purpose), Buffer.alloc(1), message])
}
