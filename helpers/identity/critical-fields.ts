import { z } from 'zod'

/** The most fields that one message or document may mark as critical. */
const MAX_CRITICAL_FIELDS = 16

/**
 * The names of the fields that a reader must know. A certificate and a hello may contain fields that an older worker
 * does not know. It ignores them, unless their names are listed here.
 */
export const criticalSchema = z.array(z.string().min(1).max(64)).max(MAX_CRITICAL_FIELDS).optional()

/**
 * The first critical field that a reader does not know; undefined if it knows them all.
 *
 * @param known the fields that the reader knows
 */
export function unknownCriticalField(
  critical: readonly string[] | undefined,
  known: z.ZodObject,
): string | undefined {
  return critical?.find((name) => !Object.hasOwn(known.shape, name))
}
