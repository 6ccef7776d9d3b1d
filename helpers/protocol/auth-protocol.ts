import { z } from 'zod'
import { accountCredentialSchema, sessionSchema } from './account.js'
import { unary } from './method.js'

/** What the auth worker answers. Only gateways reach it. */
export const authProtocol = {
  /** Makes an account. EMAIL_TAKEN when there is one already. */
  register: unary({
    name: 'auth.register',
    request: accountCredentialSchema,
    response: z.strictObject({ userId: z.string() }),
    timeoutMs: 10_000,
    idempotent: false,
    callers: ['gateway'],
  }),
  /** Opens a session. INVALID_CREDENTIAL whether the e-mail address or the password is wrong. */
  login: unary({
    name: 'auth.login',
    request: accountCredentialSchema,
    response: sessionSchema,
    timeoutMs: 10_000,
    idempotent: true,
    callers: ['gateway'],
  }),
  /** The public keys that sessions are signed with. */
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
    callers: ['gateway'],
  }),
}
