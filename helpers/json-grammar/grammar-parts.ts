import { StarlingError } from '../errors/starling-error.js'
import { STRING_FORMATS } from './grammar-rules.js'
import { isSchema, type Schema, type SchemaType } from './schema-keywords.js'

/** How often something may be repeated by a stated number. */
const MAX_REPETITIONS = 1000

/** A part of a grammar. */
export interface Expression {
  readonly gbnf: string
  /** Whether some text of it is finite, when those of the references in `known` are. */
  readonly ends: (known: ReadonlySet<string>) => boolean
}

export function stringOf(schema: Schema, at: string): string {
  const { min, max } = bounds(schema, 'minLength', 'maxLength', at)
  const format = STRING_FORMATS.get(schema.format)
  if (min === 0 && max === undefined) {
    return format === undefined ? 'string' : String.raw`( "\"" ${format} "\"" )`
  }
  return String.raw`( "\"" char${times(min, max)} "\"" )`
}

/** Of the ranges of fractions, only that of 0 and more can be told by the text. */
export function numberOf(schema: Schema, at: string): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema
  if (maximum !== undefined || exclusiveMinimum !== undefined || exclusiveMaximum !== undefined) {
    throw invalid(at, 'its range cannot be enforced')
  }
  if (minimum === undefined) return 'number'
  if (minimum !== 0) throw invalid(at, 'its range cannot be enforced')
  return '( digits fraction )'
}

export function bounds(
  schema: Schema,
  least: string,
  most: string,
  at: string,
): { min: number; max?: number } {
  const min = schema[least] ?? 0
  const max = schema[most]
  for (const bound of [min, max ?? 0]) {
    if (!Number.isInteger(bound) || Number(bound) < 0) throw invalid(at, 'a bound is no count')
    if (Number(bound) > MAX_REPETITIONS) throw invalid(at, `a bound is over ${MAX_REPETITIONS}`)
  }
  if (max !== undefined && Number(max) < Number(min)) throw invalid(at, 'no value is valid to it')
  return { min: Number(min), ...(max !== undefined && { max: Number(max) }) }
}

export function hasType(value: unknown, type: SchemaType): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'object') return isSchema(value)
  return typeof value === type
}

export function finite(gbnf: string): Expression {
  return { gbnf, ends: () => true }
}

export function either(expressions: readonly Expression[]): Expression {
  const [only] = expressions
  if (only !== undefined && expressions.length === 1) return only
  return {
    gbnf: `( ${expressions.map(({ gbnf }) => gbnf).join(' | ')} )`,
    ends: (known) => expressions.some(({ ends }) => ends(known)),
  }
}

export function afterOthers(member: string): string {
  return ` ( comma ${member} )?`
}

export function list(item: string, min: number, max?: number): string {
  if (max === 0) return ''
  const rest = `( comma ${item} )${times(Math.max(min - 1, 0), max === undefined ? max : max - 1)}`
  return min === 0 ? `( ${item} ${rest} )?` : `${item} ${rest}`
}

export function times(min: number, max?: number): string {
  if (max === undefined) return min === 0 ? '*' : `{${min},}`
  return `{${min},${max}}`
}

export function invalid(at: string, why: string): StarlingError {
  return new StarlingError('GRAMMAR_INVALID', `The JSON schema cannot be used at ${at}: ${why}`)
}
