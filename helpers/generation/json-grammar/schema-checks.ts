import { StarlingError } from '../../errors/starling-error.js'
import { isSchema, type Schema, type SchemaType } from './schema-keywords.js'

/** The highest length or count that a schema may state. */
const MAX_REPETITIONS = 1000

/** Names in messages come from the schema and are cut to this length. */
const SHOWN_CHARACTERS = 200

/** Limits of a length or count. */
export interface Bounds {
  readonly min: number
  readonly max?: number
}

/** @throws StarlingError GRAMMAR_INVALID */
export function boundsOf(schema: Schema, least: string, most: string, at: string): Bounds {
  const min = schema[least] ?? 0
  const max = schema[most]
  for (const bound of [min, max ?? 0]) {
    if (!Number.isInteger(bound) || Number(bound) < 0)
      throw invalid(at, 'a bound is not a whole number from 0')
    if (Number(bound) > MAX_REPETITIONS) throw invalid(at, `a bound is over ${MAX_REPETITIONS}`)
  }
  if (max !== undefined && Number(max) < Number(min)) throw invalid(at, 'no value can match it')
  return { min: Number(min), ...(max !== undefined && { max: Number(max) }) }
}

/**
 * Whether the numbers of a schema are limited to 0 and more. No other range of fractions can be
 * expressed by a grammar.
 *
 * @throws StarlingError GRAMMAR_INVALID for another range
 */
export function isFromZero(schema: Schema, at: string): boolean {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema
  const others = [maximum, exclusiveMinimum, exclusiveMaximum]
  if (others.some((bound) => bound !== undefined) || (minimum !== undefined && minimum !== 0)) {
    throw invalid(at, 'its range cannot be enforced')
  }
  return minimum === 0
}

export function hasType(value: unknown, type: SchemaType): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'object') return isSchema(value)
  return typeof value === type
}

/** @returns the error of a schema that cannot be used at a place of it */
export function invalid(at: string, why: string): StarlingError {
  return new StarlingError(
    'GRAMMAR_INVALID',
    `The JSON schema cannot be used at ${shortened(at)}: ${shortened(why)}`,
  )
}

function shortened(text: string): string {
  const characters = [...text.slice(0, 2 * SHOWN_CHARACTERS)]
  if (characters.length <= SHOWN_CHARACTERS) return text
  return `${characters.slice(0, SHOWN_CHARACTERS).join('')}…`
}
