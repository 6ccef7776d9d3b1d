import { z } from 'zod'
import { accountCredentialSchema, loginSchema, sessionSchema } from './account.js'
import { roles } from './call-policy.js'
import { unary } from './method.js'

/**
 * The client that a credential comes from: an opaque name that is the same for every call of one client and that no
 * other client can take, such as its public key or a keyed hash of its address. Auth takes the
 * calls of all clients in turn and counts failed logins for each. 32 bytes, hexadecimal.
 */
const peerSchema = z.string().regex(/^[0-9a-f]{64}$/)

/** What the auth worker answers. Only gateways reach it. */
export const authProtocol = {
  /** Creates an account. EMAIL_TAKEN if the address has one. */
  register: unary({
    name: 'auth.register',
    request: accountCredentialSchema.extend({ peer: peerSchema }),
    response: z.strictObject({ userId: z.string() }),
    timeoutMs: 10_000,
    idempotent: false,
    callers: roles('gateway'),
  }),
  /**
   * Opens a session. INVALID_CREDENTIAL whether the e-mail address or the password is wrong,
   * RATE_LIMITED after failed logins for the address by the same peer.
   */
  login: unary({
    name: 'auth.login',
    request: loginSchema.extend({ peer: peerSchema }),
    response: sessionSchema,
    timeoutMs: 10_000,
    idempotent: true,
    callers: roles('gateway'),
  }),
  /** The public keys that verify sessions. */
  sessionKeys: unary({
    name: 'auth.sessionKeys',
    request: z.strictObject({}),
    response: z.strictObject({
      keys: z
        .array(z.strictObject({ keyId: z.string().max(64), publicKeyPem: z.string().max(1024) }))
        .max(16),
    }),
    timeoutMs: 2_000,
    idempotent: true,
    callers: roles('gateway'),
  }),
}
