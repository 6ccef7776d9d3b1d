/** The part of hypercore-crypto 3.7 that Starling uses; the package ships no types. */
declare module 'hypercore-crypto' {
  export interface MerkleNode {
    readonly index: number
    /** Bytes of the blocks below. */
    readonly size: number
    readonly hash: Buffer
  }
  /** The hash of a block. */
  export function data(block: Uint8Array): Buffer
  /** The hash of an inner node. */
  export function parent(left: MerkleNode, right: MerkleNode): Buffer
  /** The hash of a whole tree. */
  export function tree(roots: readonly MerkleNode[]): Buffer
  /** The name of a core in a Corestore: a hash of its public key. */
  export function discoveryKey(publicKey: Uint8Array): Buffer
  /** The Ed25519 key pair of a seed of 32 bytes. */
  export function keyPair(seed: Uint8Array): { publicKey: Buffer; secretKey: Buffer }
}
