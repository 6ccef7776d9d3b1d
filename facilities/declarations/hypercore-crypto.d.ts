/** The part of hypercore-crypto 3 that draws keys; the package ships no types. */
declare module 'hypercore-crypto' {
  /** The Ed25519 key pair of a seed of 32 bytes. */
  export function keyPair(seed: Uint8Array): { publicKey: Buffer; secretKey: Buffer }
}
