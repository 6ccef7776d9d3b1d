import type Hypercore from 'hypercore'
import * as crypto from 'hypercore-crypto'
import type { CoreState } from './store-errors.js'

/** Blocks that are read concurrently. */
const READ_AHEAD = 64

/** The length, fork and hash of a core that is ready. */
export async function coreState(core: Hypercore): Promise<CoreState> {
  const { key, length, fork } = core
  if (key === null) throw new Error('The core is not ready')
  return { key: key.toString('hex'), length, fork, treeHash: await hashAt(core, length) }
}

/** The hash of a core at a length, which is at most its own. */
export async function hashAt(core: Hypercore, length: number): Promise<string> {
  return (await core.treeHash(length)).toString('hex')
}

/**
 * Reads every block of a core that is ready and calculates its hash from them: 25,000 accounts take 0.4 s.
 * RocksDB's checksums detect flipped bits, the hash detects all other changes.
 *
 * @param length at most that of the core
 * @returns the hash at that length, hexadecimal
 * @throws Error that says which block is missing or unreadable, or that the hash differs
 */
export async function readWholeCore(core: Hypercore, length: number): Promise<string> {
  const roots = new MerkleRoots()
  let hash = length === 0 ? roots.treeHash() : undefined
  while (roots.length < core.length) {
    for (const block of await readBlocks(core, roots.length)) {
      roots.append(block)
      if (roots.length === length) hash = roots.treeHash()
    }
  }
  const own = await hashAt(core, core.length)
  if (hash === undefined || roots.treeHash().toString('hex') !== own) {
    throw new Error(`its ${core.length} entries differ from those that were written`)
  }
  return hash.toString('hex')
}

async function readBlocks(core: Hypercore, start: number): Promise<Buffer[]> {
  const count = Math.min(READ_AHEAD, core.length - start)
  const blocks = await Promise.all(
    Array.from({ length: count }, (_, index) => core.get(start + index, { wait: false })),
  )
  return blocks.map((block, index) => {
    if (block === null) throw new Error(`entry ${start + index} is missing`)
    return block
  })
}

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
