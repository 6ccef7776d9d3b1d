import sodium from 'sodium-native'
import { type Turn, WaitingLine } from './waiting-line.js'

/** What hashing a password costs and how much of it may happen; all optional. */
export interface PasswordHasherOptions {
  /** Hashes at once: each holds `memoryBytes` and a thread. Default: 2. */
  readonly concurrent?: number
  /**
   * Logins that may wait for their turn, and as many registrations. Default: 64, which is under a
   * second of hashing each.
   */
  readonly waiting?: number
  /** How many of them may belong to one client. Default: 8. */
  readonly waitingPerAsker?: number
  /** Argon2id passes. Default: 2. */
  readonly passes?: number
  /** Argon2id memory. Default: 19 MiB. */
  readonly memoryBytes?: number
}

/**
 * With one lane, the least that OWASP's Password Storage Cheat Sheet asks of Argon2id: 19 MiB and
 * two passes.
 */
const DEFAULTS: Required<PasswordHasherOptions> = {
  concurrent: 2,
  waiting: 64,
  waitingPerAsker: 8,
  passes: 2,
  memoryBytes: 19 * 1024 * 1024,
}

/** About how long one hash takes. */
const TYPICAL_HASH_MS = 25

/** The caller that waits for a hash. Its kind follows from the method. */
export type HashTurn = Omit<Turn, 'kind'>

/** The caller that waits for a verification, and what to call in its turn. */
export interface VerificationTurn extends HashTurn {
  readonly onTurn?: () => void
  readonly onVerified?: (isRight: boolean) => void
}

/**
 * Hashes passwords with Argon2id and verifies them, off the event loop, a few at a time.
 */
export class PasswordHasher {
  readonly #passes: number
  readonly #memoryBytes: number
  readonly #line: WaitingLine
  readonly #nobodysHash: string

  constructor(options: PasswordHasherOptions = {}) {
    const { passes, memoryBytes, ...line } = { ...DEFAULTS, ...options }
    this.#passes = passes
    this.#memoryBytes = memoryBytes
    this.#line = new WaitingLine({
      concurrent: line.concurrent,
      places: line.waiting,
      placesPerAsker: line.waitingPerAsker,
      typicalMs: TYPICAL_HASH_MS,
    })
    this.#nobodysHash = unmatchedHash(passes, memoryBytes)
  }

  /** Hashes that are being computed. */
  get running(): number {
    return this.#line.running
  }

  /** Callers that wait for their turn. */
  get waiting(): number {
    return this.#line.waiting
  }

  /**
   * A hash to store: it holds its salt and its parameters. Waits in the turns of registrations.
   *
   * @throws StarlingError OVERLOADED; or the signal's reason when it is aborted before the turn
   */
  async hash(password: string, turn: HashTurn): Promise<string> {
    const hash = Buffer.alloc(sodium.crypto_pwhash_STRBYTES)
    await this.#line.run(
      () =>
        sodium.crypto_pwhash_str_async(hash, bytesOf(password), this.#passes, this.#memoryBytes),
      { ...turn, kind: 'registration' },
    )
    return hash.subarray(0, hash.indexOf(0)).toString('ascii')
  }

  /**
   * Whether a hash belongs to the password. Without a hash, because there is no such account, it takes as
   * long and returns false, so that the time does not reveal which accounts exist. Waits in the queue of
   * logins.
   *
   * @param turn.onTurn called when its turn has come, before anything is computed; its errors are
   *   thrown
   * @param turn.onVerified called with the answer before the next caller has its turn
   * @throws StarlingError OVERLOADED; or the signal's reason when it is aborted before the turn
   */
  async verify(
    password: string,
    hash: string | undefined,
    { onTurn, onVerified, ...turn }: VerificationTurn,
  ): Promise<boolean> {
    const padded = Buffer.alloc(sodium.crypto_pwhash_STRBYTES)
    padded.write(hash ?? this.#nobodysHash, 'ascii')
    return await this.#line.run(
      async () => {
        onTurn?.()
        const matches = await sodium.crypto_pwhash_str_verify_async(padded, bytesOf(password))
        const isRight = matches && hash !== undefined
        onVerified?.(isRight)
        return isRight
      },
      { ...turn, kind: 'login' },
    )
  }
}

/** The same characters give the same bytes, however a keyboard composes them. */
function bytesOf(password: string): Buffer {
  return Buffer.from(password.normalize('NFKC'), 'utf8')
}

/** A well-formed Argon2id hash whose password nobody knows: its salt and its digest are zeros. */
function unmatchedHash(passes: number, memoryBytes: number): string {
  const zeros = (sizeBytes: number) => Buffer.alloc(sizeBytes).toString('base64').replace(/=+$/, '')
  return `$argon2id$v=19$m=${Math.floor(memoryBytes / 1024)},t=${passes},p=1$${zeros(16)}$${zeros(32)}`
}
