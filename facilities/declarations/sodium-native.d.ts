/** The part of sodium-native 5 that Starling uses; the package ships no types. */
declare module 'sodium-native' {
  const sodium: {
    readonly crypto_sign_PUBLICKEYBYTES: number
    readonly crypto_sign_BYTES: number
    readonly crypto_pwhash_STRBYTES: number
    crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void
    crypto_sign_verify_detached(
      signature: Uint8Array,
      message: Uint8Array,
      publicKey: Uint8Array,
    ): boolean
    crypto_generichash(output: Uint8Array, input: Uint8Array, key?: Uint8Array): void
    /** Whether both are equal, in a time that does not depend on their content. The lengths must be equal. */
    sodium_memcmp(one: Uint8Array, other: Uint8Array): boolean
    readonly crypto_aead_xchacha20poly1305_ietf_ABYTES: number
    readonly crypto_aead_xchacha20poly1305_ietf_NPUBBYTES: number
    crypto_aead_xchacha20poly1305_ietf_encrypt(
      ciphertext: Uint8Array,
      message: Uint8Array,
      additionalData: Uint8Array,
      secretNonce: null,
      nonce: Uint8Array,
      key: Uint8Array,
    ): number
    /** Throws if the ciphertext or the additional data were changed. */
    crypto_aead_xchacha20poly1305_ietf_decrypt(
      message: Uint8Array,
      secretNonce: null,
      ciphertext: Uint8Array,
      additionalData: Uint8Array,
      nonce: Uint8Array,
      key: Uint8Array,
    ): number
    crypto_pwhash_str_async(
      output: Uint8Array,
      password: Uint8Array,
      opslimit: number,
      memlimitBytes: number,
    ): Promise<void>
    crypto_pwhash_str_verify_async(hash: Uint8Array, password: Uint8Array): Promise<boolean>
  }
  export default sodium
}
