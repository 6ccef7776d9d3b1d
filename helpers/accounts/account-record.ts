import { z } from 'zod'
import { StarlingError } from '../errors/starling-error.js'

/** An account as it is stored. */
const accountRecordSchema = z.strictObject({
  /** `usr_…` */
  userId: z.string().startsWith('usr_').max(64),
  email: z.string().max(254),
  /** Argon2id with its salt and parameters. */
  passwordHash: z.string().max(128),
  /** Milliseconds since 1970. */
  createdAt: z.number().int().nonnegative(),
})

export type AccountRecord = z.infer<typeof accountRecordSchema>

/** The key of the record of an account. @param email normalized */
export function accountKey(email: string): string {
  return `account/${email}`
}

/** A stored account. @throws StarlingError INTERNAL, without the account, if it has another format */
export function parseAccount(value: unknown): AccountRecord {
  const { data } = accountRecordSchema.safeParse(value)
  if (data !== undefined) return data
  throw new StarlingError(
    'INTERNAL',
    'A stored account has a format that this version does not support',
  )
}
