import { z } from 'zod'

/** Deeper objects are of no use to a model, and recursive code would exhaust its stack. */
const MAX_DEPTH = 32

/**
 * An object of JSON values from a peer, of bounded size and depth.
 *
 * @param sizeBytes its maximum size as JSON text
 */
export function jsonObjectSchema(sizeBytes: number) {
  return z
    .record(z.string(), z.unknown())
    .refine((value) => isShallowJson(value), `not JSON, or nested deeper than ${MAX_DEPTH} levels`)
    .refine(
      (value) => !isShallowJson(value) || Buffer.byteLength(JSON.stringify(value)) <= sizeBytes,
      `longer than ${sizeBytes} bytes`,
    )
}

/** Walks level by level, so that no nesting can exhaust the stack. */
function isShallowJson(value: unknown): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return false
    const next: unknown[] = []
    for (const item of level) {
      if (typeof item === 'object' && item !== null) {
        for (const entry of Object.values(item)) next.push(entry)
      } else if (!isJsonScalar(item)) return false
    }
    level = next
  }
  return true
}

function isJsonScalar(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  return value === null || typeof value === 'string' || typeof value === 'boolean'
}
