// Session tokens: JSON Web Tokens (RFC 7519) of exactly one type, as RFC 8725 advises.
import { createPublicKey, type KeyObject } from 'node:crypto'
import jsonwebtoken from 'jsonwebtoken'
import { z } from 'zod'
import { StarlingError } from '../errors/starling-error.js'
import { CLOCK_ALLOWANCE_MS } from './certificate.js'

const ALGORITHM = 'ES256'
const TYPE = 'starling-session+jwt'
const AUDIENCE = 'starling:gateway'

/** A token takes about 450 characters; `sessionSchema` rejects longer ones. */
const MAX_TOKEN_LENGTH = 4096

// Strict: a header that brings its own key (`jwk`, `jku`, `x5c`) or requires extensions (`crit`) is
// refused rather than ignored.
const headerSchema = z.strictObject({
  alg: z.literal(ALGORITHM),
  typ: z.literal(TYPE),
  kid: z.string().min(1).max(64),
})

const claimsSchema = z.strictObject({
  iss: z.string(),
  aud: z.literal(AUDIENCE),
  sub: z.string().startsWith('usr_').max(64),
  iat: z.number().int().positive(),
  exp: z.number().int().positive(),
  jti: z.string().min(1).max(64).optional(),
  local: z.literal(true).optional(),
})

/** The content of a verified session token. */
export interface SessionClaims {
  /** Whose session it is: `usr_…`. */
  readonly userId: string
  /** Milliseconds since 1970. */
  readonly issuedAtMs: number
  /** Milliseconds since 1970; the token is accepted until the clock allowance after that. */
  readonly expiresAtMs: number
  readonly tokenId: string | undefined
  /** Whether it is a session of the owner's account, for which the login was signed with the root key. */
  readonly isLocal?: true
}

/**
 * Signs a session token with ES256. Its times are whole seconds; the end is rounded up.
 *
 * @param session.mesh the mesh's name: its root public key, hexadecimal
 * @param session.keyId names the public key that verifies it
 * @param session.privateKeyPem P-256, PKCS #8
 * @param session.nowMs milliseconds since 1970
 */
export function signSessionToken(session: {
  readonly userId: string
  readonly mesh: string
  readonly keyId: string
  readonly privateKeyPem: string | KeyObject
  readonly nowMs: number
  readonly lifetimeMs: number
  readonly tokenId?: string
  readonly isLocal?: boolean
}): string {
  const claims: z.infer<typeof claimsSchema> = {
    iss: issuerOf(session.mesh),
    aud: AUDIENCE,
    sub: session.userId,
    // jsonwebtoken reads the machine's clock when it is given 0.
    iat: Math.max(1, Math.floor(session.nowMs / 1000)),
    exp: Math.ceil((session.nowMs + session.lifetimeMs) / 1000),
    ...(session.tokenId === undefined ? {} : { jti: session.tokenId }),
    ...(session.isLocal === true && { local: true }),
  }
  return jsonwebtoken.sign(claimsSchema.parse(claims), session.privateKeyPem, {
    algorithm: ALGORITHM,
    header: headerSchema.parse({ alg: ALGORITHM, typ: TYPE, kid: session.keyId }),
  })
}

/**
 * Verifies a session token locally. Algorithm, type, key, signature, mesh, audience, user and both times must be
 * present and valid.
 *
 * @param expected.keys public keys by id, as PEM; a KeyObject saves parsing it at every call
 * @param expected.nowMs milliseconds since 1970; clocks may differ by `CLOCK_ALLOWANCE_MS`
 * @throws StarlingError INVALID_CREDENTIAL, whose message never holds the token. When the token
 *   names a key that is not among the given ones, {@link sessionKeyIdOf} returns its id. CLOCKS_DIFFER
 *   when the token is valid but from the future: logging in again would not help.
 */
export function verifySessionToken(
  token: string,
  expected: {
    readonly mesh: string
    readonly keys: ReadonlyMap<string, string | KeyObject>
    readonly nowMs: number
  },
): SessionClaims {
  const keyId = sessionKeyIdOf(token)
  if (keyId === undefined) throw refused('is malformed')
  const key = expected.keys.get(keyId)
  if (key === undefined) throw refused('is signed with an unknown key')
  // Here, so that an invalid key of ours is not reported as an invalid token.
  const publicKey = typeof key === 'string' ? createPublicKey(key) : key
  const claims = verifiedClaims(token, publicKey, expected)
  if (claims.iat * 1000 > expected.nowMs + CLOCK_ALLOWANCE_MS) {
    throw new StarlingError(
      'CLOCKS_DIFFER',
      `The session was opened at ${timeOf(claims.iat)} by the clock of the auth worker, and the ` +
        `clock of the gateway says ${timeOf(expected.nowMs / 1000)}`,
    )
  }
  return {
    userId: claims.sub,
    issuedAtMs: claims.iat * 1000,
    expiresAtMs: claims.exp * 1000,
    tokenId: claims.jti,
    ...(claims.local && { isLocal: true }),
  }
}

/**
 * Whether a session that was verified before is still valid at another time. Its signature and its other claims do
 * not change.
 *
 * @param nowMs milliseconds since 1970; clocks may differ by `CLOCK_ALLOWANCE_MS`
 */
export function isSessionCurrent(
  { issuedAtMs, expiresAtMs }: SessionClaims,
  nowMs: number,
): boolean {
  return issuedAtMs <= nowMs + CLOCK_ALLOWANCE_MS && nowMs < expiresAtMs + CLOCK_ALLOWANCE_MS
}

/**
 * The id of the key in the header of a token, or undefined if it is not the header of a session token.
 * Nothing is verified: use it only to choose a key, or to detect that there is a newer one.
 */
export function sessionKeyIdOf(token: string): string | undefined {
  if (token.length > MAX_TOKEN_LENGTH) return undefined
  const encoded = token.split('.', 1)[0] ?? ''
  try {
    return headerSchema.parse(JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))).kid
  } catch {
    // The token can be anything, and the error would quote a part of it.
    return undefined
  }
}

function verifiedClaims(
  token: string,
  publicKey: KeyObject,
  expected: { readonly mesh: string; readonly nowMs: number },
): z.infer<typeof claimsSchema> {
  let payload: unknown
  try {
    payload = jsonwebtoken.verify(token, publicKey, {
      algorithms: [ALGORITHM],
      audience: AUDIENCE,
      issuer: issuerOf(expected.mesh),
      // jsonwebtoken reads the machine's clock when it is given 0.
      clockTimestamp: Math.max(1, expected.nowMs) / 1000,
      clockTolerance: CLOCK_ALLOWANCE_MS / 1000,
    })
  } catch (error) {
    // Without the cause: an error of jsonwebtoken may quote the token.
    if (error instanceof jsonwebtoken.TokenExpiredError) {
      const ended = timeOf(error.expiredAt.getTime() / 1000)
      // A user who has just logged in sees that the clocks differ.
      throw refused(
        `has expired: it ended at ${ended}, and the clock of the gateway says ` +
          timeOf(expected.nowMs / 1000),
      )
    }
    throw refused('is malformed, or not one of this mesh')
  }
  // jsonwebtoken accepts a token without a claim, and one with several audiences.
  const claims = claimsSchema.safeParse(payload)
  if (!claims.success) throw refused('is malformed')
  return claims.data
}

/** `2026-01-01T00:00:00Z` */
function timeOf(seconds: number): string {
  return new Date(Math.floor(seconds) * 1000).toISOString().replace('.000Z', 'Z')
}

function issuerOf(mesh: string): string {
  return `starling:${mesh}`
}

function refused(why: string): StarlingError {
  return new StarlingError('INVALID_CREDENTIAL', `The session token ${why}`)
}
