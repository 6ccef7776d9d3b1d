import type { Schema } from './schema-keywords.js'

/** The grammar's integers have at most 15 digits. */
const MOST = 999_999_999_999_999

/** The longest range that is written out. */
const MAX_LISTED = 512

/**
 * What the integers of a schema's range look like: a rule, or each of them; null when the range can be
 * described in neither way.
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
  if (most >= MOST) {
    if (least <= -MOST) return { kind: 'integer' }
    if (least === 0) return { kind: 'natural' }
    if (least === 1) return { kind: 'positive' }
  }
  if (!(least <= most) || most - least >= MAX_LISTED) return null
  return { values: Array.from({ length: most - least + 1 }, (_, index) => least + index) }
}

/** The least integer that is at least, or more than, a bound; NaN when it is no number. */
function ceiling(bound: unknown, more: 0 | 1 = 0): number {
  if (bound === undefined) return Number.NEGATIVE_INFINITY
  if (typeof bound !== 'number') return Number.NaN
  return Number.isInteger(bound) ? bound + more : Math.ceil(bound)
}

function negated(bound: unknown): unknown {
  return typeof bound === 'number' ? -bound : bound
}
