/** The owners of an item, the outermost first: `[gateway, client]`. */
export type OwnerPath = readonly string[]

/** The items of one owner, or the owners below it in the order of their turns. */
class Share<Item> {
  readonly owners = new Map<string, Share<Item>>()
  readonly items: Item[] = []
  size = 0
}

/**
 * A queue that serves its owners in turn instead of its items in the order of their arrival: an owner
 * with many items delays another by one item at a time. This is Nagle's round robin (RFC 970, section
 * 4), nested: owners of the first level take turns, and within each the owners of the second.
 *
 * All paths in one queue have the same length.
 */
export class FairQueue<Item> {
  readonly #root = new Share<Item>()

  get size(): number {
    return this.#root.size
  }

  /** How many items one owner has in the queue. */
  sizeOf(path: OwnerPath): number {
    return this.#shares(path).at(path.length)?.size ?? 0
  }

  /** Adds an item behind the others of its owner. */
  push(path: OwnerPath, item: Item): void {
    let share = this.#root
    share.size += 1
    for (const owner of path) {
      const next = share.owners.get(owner) ?? new Share<Item>()
      share.owners.set(owner, next)
      next.size += 1
      share = next
    }
    share.items.push(item)
  }

  /** Takes the oldest item of the owner whose turn it is; that owner is then the last in turn. */
  shift(): Item | undefined {
    let share = this.#root
    if (share.size === 0) return undefined
    share.size -= 1
    for (;;) {
      const [first] = share.owners
      if (first === undefined) return share.items.shift()
      const [owner, next] = first
      next.size -= 1
      share.owners.delete(owner)
      if (next.size > 0) share.owners.set(owner, next)
      share = next
    }
  }

  /**
   * Takes the newest item of the owner with the most items, as RFC 8290 (section 4.1) drops packets from a
   * full queue. If several owners have as many, it is the one that is last in turn.
   */
  evict(): Item | undefined {
    let share = this.#root
    if (share.size === 0) return undefined
    share.size -= 1
    for (;;) {
      const largest = largestOf(share.owners)
      if (largest === undefined) return share.items.pop()
      const [owner, next] = largest
      next.size -= 1
      if (next.size === 0) share.owners.delete(owner)
      share = next
    }
  }

  /** Removes an item. @returns whether it was in the queue */
  remove(path: OwnerPath, item: Item): boolean {
    const shares = this.#shares(path)
    const own = shares.at(path.length)
    const index = own?.items.indexOf(item) ?? -1
    if (own === undefined || index < 0) return false
    own.items.splice(index, 1)
    for (const [depth, share] of shares.entries()) {
      share.size -= 1
      const owner = path[depth - 1]
      if (share.size === 0 && owner !== undefined) shares[depth - 1]?.owners.delete(owner)
    }
    return true
  }

  /** The shares on the path to an owner, the root first, as far as they exist. */
  #shares(path: OwnerPath): Share<Item>[] {
    const shares = [this.#root]
    for (const owner of path) {
      const next = shares.at(-1)?.owners.get(owner)
      if (next === undefined) break
      shares.push(next)
    }
    return shares
  }
}

function largestOf<Item>(
  owners: ReadonlyMap<string, Share<Item>>,
): [string, Share<Item>] | undefined {
  let largest: [string, Share<Item>] | undefined
  for (const entry of owners) {
    if (largest === undefined || entry[1].size >= largest[1].size) largest = entry
  }
  return largest
}
