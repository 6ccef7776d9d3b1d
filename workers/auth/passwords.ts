import sodium from 'sodium-native'
import type { OwnerPath } from '../../helpers/limits/fair-queue.js'
import { SlotQueue } from '../../helpers/limits/slot-queue.js'

/** The cost of a password hash and the limits of hashing. */
export interface PasswordHasherOptions {
  /** Hashes that are computed at the same time; each takes `memoryBytes` and a thread. Default: 2. */
  readonly maxConcurrentHashes?: number
  /**
   * Logins that may be queued, and as many registrations. Default: 64, which is under a second of
   * hashing each.
   */
  readonly maxWaitingHashes?: number
  /** Of each kind for one client. Default: 8. */
  readonly maxWaitingHashesPerClient?: number
  /** Argon2id passes. Default: 2. */
  readonly passes?: number
  /** Argon2id memory. Default: 19 MiB. */
  readonly memoryBytes?: number
}

/**
 * With one lane, the minimum for Argon2id in OWASP's Password Storage Cheat Sheet: 19 MiB and two
 * passes.
 */
const DEFAULTS: Required<PasswordHasherOptions> = {
  maxConcurrentHashes: 2,
  maxWaitingHashes: 64,
  maxWaitingHashesPerClient: 8,
  passes: 2,
  memoryBytes: 19 * 1024 * 1024,
}

/** The typical duration of one hash. */
const TYPICAL_HASH_MS = 25

/** Whose password is hashed. */
export interface HashRequest {
  /** The calling gateway and the client that it calls for. */
  readonly owner: OwnerPath
  /** Removes the request from the queue when it is aborted. A hash that is being computed is not stopped. */
  readonly signal?: AbortSignal | undefined
}

/** Whose password is verified, and the callbacks. */
export interface VerificationRequest extends HashRequest {
  readonly onStart?: () => void
  readonly onVerified?: (isMatch: boolean) => void
}

/**
 * Hashes and verifies passwords with Argon2id, off the event loop. Verifications, which are logins, come
 * before hashes, which are registrations.
 */
export class PasswordHasher {
  readonly #passes: number
  readonly #memoryBytes: number
  readonly #queue: SlotQueue
  readonly #unmatchedHash: string

  constructor(options: PasswordHasherOptions = {}) {
    const { passes, memoryBytes, ...limits } = { ...DEFAULTS, ...options }
    this.#passes = passes
    this.#memoryBytes = memoryBytes
    this.#queue = new SlotQueue({
      slots: limits.maxConcurrentHashes,
      maxWaiting: limits.maxWaitingHashes,
      maxWaitingPerOwner: limits.maxWaitingHashesPerClient,
      retryAfterMs: (waiting) => (waiting / limits.maxConcurrentHashes) * TYPICAL_HASH_MS,
    })
    this.#unmatchedHash = unmatchedHash(passes, memoryBytes)
  }

  /** Hashes that are being computed. */
  get running(): number {
    return this.#queue.running
  }

  /** Hashes that are queued. */
  get waiting(): number {
    return this.#queue.waiting
  }

  /**
   * Hashes a password for storage.
   *
   * @returns the hash with its salt and its parameters
   * @throws StarlingError OVERLOADED; the signal's reason when it is aborted before the hash is started
   */
  async hash(password: string, request: HashRequest): Promise<string> {
    const hash = Buffer.alloc(sodium.crypto_pwhash_STRBYTES)
    await this.#queue.run(
      () =>
        sodium.crypto_pwhash_str_async(hash, bytesOf(password), this.#passes, this.#memoryBytes),
      { ...request, priority: 'low' },
    )
    return hash.subarray(0, hash.indexOf(0)).toString('ascii')
  }

  /**
   * Whether a password matches a hash. Without a hash, because there is no such account, it takes as long and
   * returns false, so that the time does not reveal which accounts exist.
   *
   * @param request.onStart called before the verification is started; its errors are thrown
   * @param request.onVerified called with the result before the next request is started
   * @throws StarlingError OVERLOADED; the signal's reason when it is aborted before the verification is
   *   started
   */
  async verify(
    password: string,
    hash: string | undefined,
    { onStart, onVerified, ...request }: VerificationRequest,
  ): Promise<boolean> {
    const padded = Buffer.alloc(sodium.crypto_pwhash_STRBYTES)
    padded.write(hash ?? this.#unmatchedHash, 'ascii')
    return await this.#queue.run(async () => {
      onStart?.()
      const matches = await sodium.crypto_pwhash_str_verify_async(padded, bytesOf(password))
      const isMatch = matches && hash !== undefined
      onVerified?.(isMatch)
      return isMatch
    }, request)
  }
}

/** Normalized, because keyboards compose the same characters in different ways. */
function bytesOf(password: string): Buffer {
  return Buffer.from(password.normalize('NFKC'), 'utf8')
}

/** A well-formed Argon2id hash that matches no known password: its salt and digest are zeros. */
function unmatchedHash(passes: number, memoryBytes: number): string {
  const zeros = (sizeBytes: number) => Buffer.alloc(sizeBytes).toString('base64').replace(/=+$/, '')
  return `$argon2id$v=19$m=${Math.floor(memoryBytes / 1024)},t=${passes},p=1$${zeros(16)}$${zeros(32)}`
}
