import type { Clock } from '../../facilities/clock/clock.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'

/** Failed logins before the first delay. */
export const FREE_LOGIN_FAILURES = 3
/** The first delay; doubled with each further failure. */
export const FIRST_LOGIN_DELAY_MS = 1_000
export const MAX_LOGIN_DELAY_MS = 900_000
/** The failures of a pair are forgotten after this time without one. Longer than any delay. */
export const FORGET_FAILURES_AFTER_MS = 3_600_000
/** Peers whose failures are kept. Beyond, the peer whose last failure is oldest is forgotten. */
export const MAX_FAILING_PEERS = 2_048
/** Accounts that are counted separately for one peer; all further ones are counted as one. */
export const MAX_ACCOUNTS_PER_PEER = 64

/** Stands for all accounts beyond {@link MAX_ACCOUNTS_PER_PEER}. It is not an e-mail address. */
const OTHER_ACCOUNTS = ''

interface Failures {
  count: number
  /** On the monotonic clock. */
  lastAtMs: number
}

/**
 * Delays further logins after failed ones, for each pair of an account and a peer.
 * Failures of one peer never delay another peer, so the owner of an account cannot be locked out by
 * others. Addresses without an account are delayed in the same way, so the delay does not reveal which
 * addresses have one.
 */
export class LoginDelays {
  readonly #clock: Pick<Clock, 'monotonic'>
  /** By peer and account; the peer with the latest failure is the last one. */
  readonly #peers = new Map<string, Map<string, Failures>>()

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /** Peers whose failures are kept. */
  get peers(): number {
    return this.#peers.size
  }

  /** @throws StarlingError RATE_LIMITED with `retryAfterMs` while the pair is delayed */
  assertOver(peer: string, account: string): void {
    const failures = this.#find(peer, account)
    if (failures === undefined) return
    const retryAfterMs = failures.lastAtMs + delayAfter(failures.count) - this.#clock.monotonic()
    if (retryAfterMs <= 0) return
    throw new StarlingError(
      'RATE_LIMITED',
      'Too many failed logins to this account from this client; ' +
        `the next one is accepted in ${(Math.ceil(retryAfterMs / 100) / 10).toFixed(1)} s`,
      { retryAfterMs: Math.ceil(retryAfterMs) },
    )
  }

  /** A login of the pair has failed. */
  failed(peer: string, account: string): void {
    const nowMs = this.#clock.monotonic()
    const known = this.#find(peer, account)
    const accounts = this.#peers.get(peer) ?? new Map<string, Failures>()
    // Inserted again, to be the last one.
    this.#peers.delete(peer)
    this.#peers.set(peer, accounts)
    if (known !== undefined) {
      known.count += 1
      known.lastAtMs = nowMs
    } else {
      accounts.set(this.#keyOf(accounts, account), { count: 1, lastAtMs: nowMs })
    }
    this.#forgetPeers(nowMs)
  }

  /** A login of the pair succeeded: its failures are forgotten. */
  succeeded(peer: string, account: string): void {
    const accounts = this.#peers.get(peer)
    if (accounts?.delete(account) && accounts.size === 0) this.#peers.delete(peer)
  }

  /** The failures that count for a pair, if there are any. */
  #find(peer: string, account: string): Failures | undefined {
    const accounts = this.#peers.get(peer)
    if (accounts === undefined) return undefined
    const oldestMs = this.#clock.monotonic() - FORGET_FAILURES_AFTER_MS
    for (const [name, { lastAtMs }] of accounts) if (lastAtMs <= oldestMs) accounts.delete(name)
    return accounts.get(this.#keyOf(accounts, account))
  }

  #keyOf(accounts: ReadonlyMap<string, Failures>, account: string): string {
    const isFull = accounts.size >= MAX_ACCOUNTS_PER_PEER
    return isFull && !accounts.has(account) ? OTHER_ACCOUNTS : account
  }

  #forgetPeers(nowMs: number): void {
    for (const [peer, accounts] of this.#peers) {
      const lastAtMs = Math.max(...[...accounts.values()].map((failures) => failures.lastAtMs))
      const isOver = lastAtMs <= nowMs - FORGET_FAILURES_AFTER_MS
      if (!isOver && this.#peers.size <= MAX_FAILING_PEERS) return
      this.#peers.delete(peer)
    }
  }
}

function delayAfter(failures: number): number {
  if (failures <= FREE_LOGIN_FAILURES) return 0
  return Math.min(
    FIRST_LOGIN_DELAY_MS * 2 ** (failures - FREE_LOGIN_FAILURES - 1),
    MAX_LOGIN_DELAY_MS,
  )
}
