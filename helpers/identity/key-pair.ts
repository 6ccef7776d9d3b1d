// HyperDHT and Hypercore create their keys with it, and use ours.
import { keyPair } from 'hypercore-crypto'

/** An Ed25519 key pair, in the form that HyperDHT and sodium use. */
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
  return keyPair(seed)
}
