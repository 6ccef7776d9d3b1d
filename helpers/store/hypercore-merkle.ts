import sodium from 'sodium-native'

const HASH_BYTES = 32
const U64_BYTES = 8

/** What is hashed begins with its kind, so that no leaf can pass for a parent. */
const KIND = { leaf: 0, parent: 1, roots: 2 } as const

interface TreeNode {
  /** In the numbering of flat-tree: leaves are even, a parent lies in the middle of its children. */
  readonly index: number
  /** Blocks below. A power of two. */
  readonly span: number
  readonly sizeBytes: number
  readonly hash: Buffer
}

/**
 * The Merkle tree of a Hypercore, calculated from its blocks alone: what is equal to the hash that
 * the core was signed with has the same blocks in the same order.
 *
 * Method: BLAKE2b-256 over a flat in-order tree, hypercore 10 and later (hypercore-crypto's `data`,
 * `parent` and `tree`).
 */
export class MerkleRoots {
  readonly #roots: TreeNode[] = []
  #length = 0

  /** Blocks so far. */
  get length(): number {
    return this.#length
  }

  append(block: Uint8Array): void {
    this.#roots.push({
      index: this.#length * 2,
      span: 1,
      sizeBytes: block.byteLength,
      hash: hash(KIND.leaf, u64(block.byteLength), block),
    })
    this.#length += 1
    this.#mergeEqualSpans()
  }

  /** 32 bytes; the same as `Hypercore.treeHash(length)`. */
  treeHash(): Buffer {
    return hash(
      KIND.roots,
      ...this.#roots.flatMap((root) => [root.hash, u64(root.index), u64(root.sizeBytes)]),
    )
  }

  #mergeEqualSpans(): void {
    for (;;) {
      const right = this.#roots.at(-1)
      const left = this.#roots.at(-2)
      if (left === undefined || right === undefined || left.span !== right.span) return
      const sizeBytes = left.sizeBytes + right.sizeBytes
      this.#roots.splice(-2, 2, {
        index: (left.index + right.index) / 2,
        span: left.span * 2,
        sizeBytes,
        hash: hash(KIND.parent, u64(sizeBytes), left.hash, right.hash),
      })
    }
  }
}

function hash(kind: number, ...parts: Uint8Array[]): Buffer {
  const digest = Buffer.alloc(HASH_BYTES)
  sodium.crypto_generichash(digest, Buffer.concat([Buffer.from([kind]), ...parts]))
  return digest
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(U64_BYTES)
  // Six bytes hold every safe integer but those above 2^48, more than any core has.
  bytes.writeUIntLE(value, 0, 6)
  return bytes
}
