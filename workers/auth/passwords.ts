import sodium from 'sodium-native'
import { WaitingLine } from './waiting-line.js'

/** What hashing a password costs and how much of it may happen; all optional. */
export interface PasswordHasherOptions {
  /** Hashes at once: each holds `memoryBytes` and a thread. 2 unless told otherwise. */
  readonly concurrent?: number
  /** Callers that may wait for their turn. 64 unless told otherwise: under a second of hashing. */
  readonly waiting?: number
  /** Argon2id passes. 2 unless told otherwise. */
  readonly passes?: number
  /** Argon2id memory. 19 MiB unless told otherwise. */
  readonly memoryBytes?: number
}

/**
 * With one lane, the least that OWASP's Password Storage Cheat Sheet asks of Argon2id: 19 MiB and
 * two passes.
 */
const DEFAULTS: Required<PasswordHasherOptions> = {
  concurrent: 2,
  waiting: 64,
  passes: 2,
  memoryBytes: 19 * 1024 * 1024,
}

/** About how long one hash takes. */
const TYPICAL_HASH_MS = 25

/**
 * Hashes passwords with Argon2id and verifies them, off the event loop, a few at a time.
 */
export class PasswordHasher {
  readonly #passes: number
  readonly #memoryBytes: number
  readonly #line: WaitingLine
  readonly #nobodysHash: string

  constructor(options: PasswordHasherOptions = {}) {
    const { concurrent, waiting, passes, memoryBytes } = { ...DEFAULTS, ...options }
    this.#passes = passes
    this.#memoryBytes = memoryBytes
    this.#line = new WaitingLine({ concurrent, places: waiting, typicalMs: TYPICAL_HASH_MS })
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
   * A hash to store: it holds its salt and its parameters.
   *
   * @throws StarlingError OVERLOADED; or the signal's reason when it is aborted before the turn
   */
  async hash(password: string, signal?: AbortSignal): Promise<string> {
    const hash = Buffer.alloc(sodium.crypto_pwhash_STRBYTES)
    await this.#line.run(
      () =>
        sodium.crypto_pwhash_str_async(hash, bytesOf(password), this.#passes, this.#memoryBytes),
      signal,
    )
    return hash.subarray(0, hash.indexOf(0)).toString('ascii')
  }

  /**
   * Whether a hash is one of the password. Without a hash, because nobody has the name that was
   * given, it takes as long and answers false: time does not tell who has an account.
   *
   * @throws StarlingError OVERLOADED; or the signal's reason when it is aborted before the turn
   */
  async verify(password: string, hash: string | undefined, signal?: AbortSignal): Promise<boolean> {
    const padded = Buffer.alloc(sodium.crypto_pwhash_STRBYTES)
    padded.write(hash ?? this.#nobodysHash, 'ascii')
    const isRight = await this.#line.run(
      () => sodium.crypto_pwhash_str_verify_async(padded, bytesOf(password)),
      signal,
    )
    return isRight && hash !== undefined
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
