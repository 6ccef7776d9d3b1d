import type { Schema } from './schema-keywords.js'

/** The grammar's integers have at most 15 digits. */
const MAX_INTEGER = 999_999_999_999_999

/** The longest range that is written out. */
const MAX_LISTED = 512

/**
 * The integers in a schema's range: a predefined kind, or a list of all; null if neither is possible.
 */
export function integerRange(
  schema: Schema,
):
  | { readonly kind: 'integer' | 'natural' | 'positive' }
  | { readonly values: readonly number[] }
  | null {
  const least = Math.max(ceiling(schema.minimum), ceiling(schema.exclusiveMinimum, 1))
  const most = -Math.max(
    ceiling(negated(schema.maximum)),
    ceiling(negated(schema.exclusiveMaximum), 1),
  )
  if (Number.isNaN(least) || Number.isNaN(most)) return null
  if (most >= MAX_INTEGER) {
    if (least <= -MAX_INTEGER) return { kind: 'integer' }
    if (least === 0) return { kind: 'natural' }
    if (least === 1) return { kind: 'positive' }
  }
  if (!(least <= most) || most - least >= MAX_LISTED) return null
  return { values: Array.from({ length: most - least + 1 }, (_, index) => least + index) }
}

/** The smallest integer from a bound, or above it; NaN if the bound is not a number. */
function ceiling(bound: unknown, more: 0 | 1 = 0): number {
  if (bound === undefined) return Number.NEGATIVE_INFINITY
  if (typeof bound !== 'number') return Number.NaN
  return Number.isInteger(bound) ? bound + more : Math.ceil(bound)
}

function negated(bound: unknown): unknown {
  return typeof bound === 'number' ? -bound : bound
}
