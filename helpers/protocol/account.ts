import { z } from 'zod'

/** An e-mail address, in the one spelling that accounts are kept under. */
export const emailSchema = z
  .string()
  .max(254)
  .transform((email) => email.trim().toLowerCase())
  .pipe(z.email('this is no e-mail address'))

/** Long enough to resist guessing, short enough that hashing it costs what is planned for. */
export const passwordSchema = z
  .string()
  .min(8, 'a password needs at least 8 characters')
  .max(256, 'a password has at most 256 characters')

/** What somebody registers and logs in with. */
export const accountCredentialSchema = z.strictObject({
  email: emailSchema,
  password: passwordSchema,
})

/** The request that opens a session. */
export const loginSchema = accountCredentialSchema.extend({
  /** Proves that the account belongs to the owner of the mesh: see local-account-proof.ts. */
  localProof: z.base64().max(128).optional(),
})

/** A session: the token is a JWT that gateways verify by themselves. */
export const sessionSchema = z.strictObject({
  token: z.string().min(1).max(4096),
  expiresInMs: z.number().int().positive(),
})

export type LoginRequest = z.infer<typeof loginSchema>
export type AccountCredential = z.infer<typeof accountCredentialSchema>
export type Session = z.infer<typeof sessionSchema>
