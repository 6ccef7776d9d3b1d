import sodium from 'sodium-native'

/** An Ed25519 key pair, as HyperDHT and sodium spell it. */
export interface KeyPair {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes: the seed followed by the public key. */
  readonly secretKey: Uint8Array
}

/**
 * The key pair that belongs to a seed.
 *
 * @param seed 32 bytes from a good random source
 */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  const publicKey = Buffer.alloc(sodium.crypto_sign_PUBLICKEYBYTES)
  const secretKey = Buffer.alloc(sodium.crypto_sign_SECRETKEYBYTES)
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed)
  return { publicKey, secretKey }
}
