import { type Member, mostOf, type Quota } from './peer-quota.js'

/** A connection as a byte budget sees it. */
export interface ByteHolder {
  /** What it holds now, in bytes. */
  measure(): number
  /** Closes the connection, which frees what it holds. */
  cut(): void
}

/** The share of one connection in a byte budget. */
export interface ByteAccount {
  /** Records what the connection holds now. Cuts connections, possibly this one, if a limit is exceeded. */
  set(bytes: number): void
  /** Removes the connection from the budget. */
  close(): void
}

/** What one key holds on all its connections. */
interface KeyTotal {
  readonly member: Member
  readonly holdings: Set<Holding>
  bytes: number
}

interface Holding {
  readonly holder: ByteHolder
  readonly total: KeyTotal
  bytes: number
}

/**
 * Limits memory that peers cause and that cannot be refused with an error, such as a frame that has
 * arrived in part. When a limit is exceeded, connections are cut until it is not: the largest connection
 * of a key that exceeds the limit of one key, otherwise the largest connection of the key that holds most.
 */
export class ByteBudget {
  readonly #quota: Quota
  readonly #totals = new Map<string, KeyTotal>()
  #bytes = 0
  #bytesOfClients = 0

  constructor(quota: Quota) {
    this.#quota = quota
  }

  /** What all connections hold. */
  get bytes(): number {
    return this.#bytes
  }

  /** Adds a connection. */
  open(member: Member, holder: ByteHolder): ByteAccount {
    const total = this.#totals.get(member.key) ?? { member, holdings: new Set(), bytes: 0 }
    this.#totals.set(member.key, total)
    const holding: Holding = { holder, total, bytes: 0 }
    total.holdings.add(holding)
    return {
      set: (bytes) => {
        const grows = bytes > holding.bytes
        this.#set(holding, bytes)
        if (grows && this.#isExceeded(total)) this.#relieve()
      },
      close: () => this.#close(holding),
    }
  }

  #set(holding: Holding, bytes: number): void {
    const { total } = holding
    if (!total.holdings.has(holding)) return
    const change = bytes - holding.bytes
    holding.bytes = bytes
    total.bytes += change
    this.#bytes += change
    if (!total.member.isWorker) this.#bytesOfClients += change
  }

  #close(holding: Holding): void {
    const { total } = holding
    this.#set(holding, 0)
    total.holdings.delete(holding)
    if (total.holdings.size === 0) this.#totals.delete(total.member.key)
  }

  #isExceeded(total: KeyTotal): boolean {
    return (
      this.#excess(total) > 0 ||
      this.#bytesOfClients > this.#quota.mostOfClients ||
      this.#bytes > this.#quota.most
    )
  }

  /** By how much a key exceeds its limit; negative below the limit. */
  #excess({ member, bytes }: KeyTotal): number {
    return bytes - mostOf(member, this.#quota)
  }

  /** Cuts connections until no limit is exceeded. */
  #relieve(): void {
    // Growth is recorded at once, shrinkage is not: measure again before anything is cut.
    for (const { holdings } of this.#totals.values()) {
      for (const holding of holdings) this.#set(holding, holding.holder.measure())
    }
    for (;;) {
      const victim = largest(this.#next()?.holdings ?? [], ({ bytes }) => bytes)
      if (victim === undefined) return
      this.#close(victim)
      victim.holder.cut()
    }
  }

  /** The key whose connection is cut next; undefined when no limit is exceeded. */
  #next(): KeyTotal | undefined {
    const totals = [...this.#totals.values()]
    const worst = largest(totals, (total) => this.#excess(total))
    if (worst !== undefined && this.#excess(worst) > 0) return worst
    if (this.#bytesOfClients > this.#quota.mostOfClients) {
      return largest(
        totals.filter(({ member }) => !member.isWorker),
        ({ bytes }) => bytes,
      )
    }
    if (this.#bytes > this.#quota.most) return largest(totals, ({ bytes }) => bytes)
    return undefined
  }
}

function largest<T>(items: Iterable<T>, sizeOf: (item: T) => number): T | undefined {
  let best: T | undefined
  let most = Number.NEGATIVE_INFINITY
  for (const item of items) {
    const size = sizeOf(item)
    if (size > most) {
      best = item
      most = size
    }
  }
  return best
}
