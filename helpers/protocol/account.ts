import { z } from 'zod'

/** An e-mail address, normalised. */
export const emailSchema = z
  .string()
  .max(254)
  .transform((email) => email.trim().toLowerCase())
  .pipe(z.email('not an e-mail address'))

/** Long enough to resist guessing, short enough to bound the cost of hashing. */
export const passwordSchema = z
  .string()
  .min(8, 'a password needs at least 8 characters')
  .max(256, 'a password has at most 256 characters')

/** What a user registers and logs in with. */
export const accountCredentialSchema = z.strictObject({
  email: emailSchema,
  password: passwordSchema,
})

/** The request that opens a session. */
export const loginSchema = accountCredentialSchema.extend({
  /** Proves that the account belongs to the owner of the mesh: see local-account-proof.ts. */
  localProof: z.base64().max(128).optional(),
})

/** A session: the token is a JWT that gateways verify locally. */
export const sessionSchema = z.strictObject({
  token: z.string().min(1).max(4096),
  expiresInMs: z.number().int().positive(),
})

export type LoginRequest = z.infer<typeof loginSchema>
export type AccountCredential = z.infer<typeof accountCredentialSchema>
export type Session = z.infer<typeof sessionSchema>
