import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import type { Clock } from '../../facilities/clock/clock.js'
import type { Peer } from '../../facilities/network/calls/peers.js'
import type { CallOptions } from '../../facilities/network/calls/request-context.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import {
  isSessionCurrent,
  type SessionClaims,
  sessionKeyIdOf,
  verifySessionToken,
} from '../../helpers/identity/session-token.js'
import { authProtocol } from '../../helpers/protocol/auth-protocol.js'

/** The least time between two requests for the session keys, because of unknown keys in tokens. */
const REFETCH_INTERVAL_MS = 1_000

/**
 * Verified sessions that are remembered, about 300 bytes each. Otherwise each request would wait until the signature
 * of its session is verified again.
 */
const MAX_REMEMBERED_SESSIONS = 1_024

/**
 * Verifies sessions locally. The public keys of the auth worker are fetched once, and again when a token
 * names a key that is not among them. Works while auth is not available.
 */
export class SessionVerifier {
  readonly #mesh: string
  readonly #clock: Clock
  readonly #auth: () => Peer | undefined
  #keys: ReadonlyMap<string, KeyObject> = new Map()
  /** By the hash of the token. */
  readonly #verified = new Map<string, SessionClaims>()
  #fetchedAt = Number.NEGATIVE_INFINITY
  #fetching: Promise<void> | null = null

  /** @param options.auth a connection to an auth worker, undefined while there is none */
  constructor(options: {
    mesh: string
    clock: Clock
    auth: () => Peer | undefined
  }) {
    this.#mesh = options.mesh
    this.#clock = options.clock
    this.#auth = options.auth
  }

  /**
   * @returns the user of the session and its expiry
   * @throws StarlingError INVALID_CREDENTIAL; AUTH_UNAVAILABLE if the key is not known and no auth worker is
   *   connected
   */
  async verify(token: string, options: CallOptions): Promise<SessionClaims> {
    const hash = createHash('sha256').update(token).digest('base64')
    const known = this.#verified.get(hash)
    if (known !== undefined && isSessionCurrent(known, this.#clock.now())) return known
    const keyId = sessionKeyIdOf(token)
    if (keyId !== undefined && !this.#keys.has(keyId)) await this.#refetch(options)
    const claims = verifySessionToken(token, {
      mesh: this.#mesh,
      keys: this.#keys,
      nowMs: this.#clock.now(),
    })
    this.#remember(hash, claims)
    return claims
  }

  /** Whether the session keys are known. */
  get hasKeys(): boolean {
    return this.#keys.size > 0
  }

  /** Fetches the keys if none is known and an auth worker is connected. */
  async prepare(options: CallOptions): Promise<void> {
    if (this.hasKeys || this.#auth() === undefined) return
    try {
      await this.#refetch(options)
    } catch (error) {
      // The caller tries again later.
      if (!isStarlingError(error)) throw error
    }
  }

  /** If there is no room, the session that was verified first is forgotten. */
  #remember(hash: string, claims: SessionClaims): void {
    const [first] = this.#verified.keys()
    if (this.#verified.size >= MAX_REMEMBERED_SESSIONS && first !== undefined) {
      this.#verified.delete(first)
    }
    this.#verified.set(hash, claims)
  }

  async #refetch(options: CallOptions): Promise<void> {
    // Any client can send tokens with key ids that do not exist, which must not put load on auth.
    if (this.#clock.monotonic() - this.#fetchedAt < REFETCH_INTERVAL_MS) return
    this.#fetching ??= this.#fetch(options).finally(() => {
      this.#fetching = null
    })
    await this.#fetching
  }

  async #fetch(options: CallOptions): Promise<void> {
    const auth = this.#auth()
    if (auth === undefined) {
      throw new StarlingError(
        'AUTH_UNAVAILABLE',
        'No auth worker is connected to fetch the key of this session from',
      )
    }
    const { keys } = await auth.call(authProtocol.sessionKeys, {}, { origin: options.origin })
    // Parsed once: a PEM would be parsed again for every token.
    this.#keys = new Map(
      keys.map(({ keyId, publicKeyPem }) => [keyId, createPublicKey(publicKeyPem)]),
    )
    // A key that was withdrawn must not be accepted any more.
    this.#verified.clear()
    this.#fetchedAt = this.#clock.monotonic()
  }
}
