import * as crypto from 'hypercore-crypto'

interface TreeNode extends crypto.MerkleNode {
  /** Blocks below. A power of two. */
  readonly span: number
}

/**
 * The Merkle tree of a Hypercore, calculated from its blocks alone: a core whose hash is equal has the
 * same blocks in the same order. Only the roots of the tree are kept.
 */
export class MerkleRoots {
  readonly #roots: TreeNode[] = []
  #length = 0

  /** Blocks so far. */
  get length(): number {
    return this.#length
  }

  append(block: Uint8Array): void {
    let node: TreeNode = {
      // In the numbering of flat-tree: leaves are even, a parent is in the middle of its children.
      index: this.#length * 2,
      span: 1,
      size: block.byteLength,
      hash: crypto.data(block),
    }
    this.#length += 1
    for (let left = this.#roots.at(-1); left?.span === node.span; left = this.#roots.at(-1)) {
      this.#roots.pop()
      node = {
        index: (left.index + node.index) / 2,
        span: left.span * 2,
        size: left.size + node.size,
        hash: crypto.parent(left, node),
      }
    }
    this.#roots.push(node)
  }

  /** 32 bytes; the same as `Hypercore.treeHash(length)`. */
  treeHash(): Buffer {
    return crypto.tree(this.#roots)
  }
}
