import fc from 'fast-check'

export type Schema = Record<string, unknown>

/** Returns a whole number below the argument. */
export type Choose = (below: number) => number

const KEYS = ['a', 'b', 'ab', 'kind', 'x"']

/** Schemas of the keywords that are supported, with references to themselves. */
export function schemas(): fc.Arbitrary<Schema> {
  const { schema } = fc.letrec<{ schema: Schema; leaf: Schema }>((tie) => ({
    leaf: fc.oneof(
      fc.constantFrom<Schema>(
        { type: 'string' },
        { type: 'integer' },
        { type: 'number' },
        { type: 'null' },
        { type: ['boolean', 'null'] },
        { type: 'integer', minimum: 0 },
        { type: 'string', format: 'date' },
        { type: 'string', minLength: 1, maxLength: 3 },
        { type: 'string', maxLength: 5 },
        { const: 'kind' },
        { const: 'ab' },
        { enum: ['a', 'abc', 1, 12, null] },
        { $ref: '#/$defs/one' },
        { $ref: '#/$defs/two' },
        {},
      ),
    ),
    schema: fc.oneof(
      { maxDepth: 4, depthSize: 'medium' },
      tie('leaf'),
      fc
        .tuple(
          fc.dictionary(fc.constantFrom(...KEYS), tie('schema'), { maxKeys: 3 }),
          fc.subarray(KEYS),
        )
        .map(([properties, keys]) => ({
          type: 'object',
          properties,
          required: keys.filter((key) => Object.hasOwn(properties, key)),
        })),
      fc.tuple(tie('schema'), fc.nat(1), fc.nat(3)).map(([items, minItems, more]) => ({
        ...{ type: 'array', items, minItems },
        ...(more > 0 && { maxItems: minItems + more }),
      })),
      tie('schema').map((additionalProperties) => ({ type: 'object', additionalProperties })),
      fc.array(tie('schema'), { minLength: 1, maxLength: 4 }).map((anyOf) => ({ anyOf })),
      fc.array(tie('schema'), { minLength: 1, maxLength: 3 }).map((oneOf) => ({ oneOf })),
    ),
  }))
  return fc
    .record({ root: schema, one: schema, two: schema })
    .map(({ root, one, two }) => ({ ...root, $defs: { one, two } }))
}

/**
 * The texts of values that are valid against a schema, written as answers are: required properties first, no
 * spaces. Written from the meaning of the keywords, independently of the code that makes grammars.
 */
export class SchemaTexts {
  readonly #root: Schema

  constructor(root: Schema) {
    this.#root = root
  }

  /** One of the texts; null when none was found within some levels of nesting. */
  write(choose: Choose): string | null {
    return this.#write(this.#root, choose, 0)
  }

  /** Whether a text is one of them. */
  has(text: string): boolean {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return false
    }
    return this.#allows(this.#root, value, 0)
  }

  #write(schema: Schema, choose: Choose, depth: number): string | null {
    if (depth > 12) return null
    const one = <Item>(items: readonly Item[]) => items[choose(items.length)]
    const below = (inner: unknown) => this.#write(Object(inner), choose, depth + 1)
    const { $ref, anyOf, oneOf, type, items, properties, additionalProperties } = schema
    if ($ref !== undefined) return below(this.#resolved($ref))
    if (schema.const !== undefined) return JSON.stringify(schema.const)
    if (Array.isArray(schema.enum)) return JSON.stringify(one(schema.enum))
    const combined = anyOf ?? oneOf
    if (Array.isArray(combined)) return below(one(combined))
    if (type === 'array') {
      const { minItems = 0, maxItems = Number(minItems) + 3 } = schema
      const count = Number(minItems) + choose(Number(maxItems) - Number(minItems) + 1)
      return joined(
        '[',
        Array.from({ length: depth > 6 ? Number(minItems) : count }, () => below(items)),
        ']',
      )
    }
    if (type === 'object' && additionalProperties !== undefined) {
      const keys = KEYS.slice(0, depth > 6 ? 0 : choose(3))
      return joined(
        '{',
        keys.map((key) => member(key, below(additionalProperties))),
        '}',
      )
    }
    if (type === 'object') {
      const required: readonly unknown[] = Object(schema.required)
      const inner = Object.entries(Object(properties))
      const isNeeded = ([key]: [string, unknown]) => Array.from(required).includes(key)
      const needed = inner
        .filter(isNeeded)
        .sort(([one], [other]) => KEYS.indexOf(one) - KEYS.indexOf(other))
      const others = inner.filter((entry) => !isNeeded(entry) && depth < 6 && choose(2) === 0)
      return joined(
        '{',
        [...needed, ...others].map(([key, value]) => member(key, below(value))),
        '}',
      )
    }
    return one(SCALARS.filter((text) => this.#allows(schema, JSON.parse(text), 0))) ?? null
  }

  #allows(schema: Schema, value: unknown, depth: number): boolean {
    if (depth > 60) return false
    const below = (inner: unknown, part: unknown) => this.#allows(Object(inner), part, depth + 1)
    const { $ref, anyOf, oneOf, type, items, properties = {}, additionalProperties } = schema
    if ($ref !== undefined) return below(this.#resolved($ref), value)
    if (schema.const !== undefined) return schema.const === value
    if (Array.isArray(schema.enum)) return schema.enum.includes(value)
    const combined = anyOf ?? oneOf
    if (Array.isArray(combined)) return combined.some((inner) => below(inner, value))
    if (Array.isArray(type)) return type.some((inner) => below({ type: inner }, value))
    if (type === undefined) return true
    if (type === 'array') {
      if (!Array.isArray(value)) return false
      const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema
      const isEnough = value.length >= Number(minItems) && value.length <= Number(maxItems)
      return isEnough && value.every((item) => below(items, item))
    }
    if (type === 'object') {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
      const required: unknown = schema.required ?? []
      const known: Record<string, unknown> = Object(properties)
      return (
        (!Array.isArray(required) || required.every((key) => Object.hasOwn(value, key))) &&
        Object.entries(value).every(([key, part]) =>
          additionalProperties === undefined
            ? Object.keys(known).length === 0 ||
              (Object.hasOwn(known, key) && below(known[key], part))
            : below(additionalProperties, part),
        )
      )
    }
    return isScalar(schema, value)
  }

  #resolved(reference: unknown): unknown {
    return Object(this.#root.$defs)[String(reference).replace('#/$defs/', '')]
  }
}

const SCALARS = [
  ...['""', '"a"', '"ab"', '"abc"', '"kind"', '"xyz\\n"', '"é"', '"2026-01-28"', '"\\\\\\""'],
  ...['0', '1', '12', '-3', '1.5', '-2.5e-1', 'true', 'false', 'null'],
]

function isScalar(
  { type, minLength, maxLength, format, minimum }: Schema,
  value: unknown,
): boolean {
  if (type === 'null') return value === null
  if (type === 'integer')
    return Number.isInteger(value) && (minimum === undefined || Number(value) >= 0)
  if (typeof value !== type) return false
  if (typeof value !== 'string') return true
  const { length } = [...value]
  if (length < Number(minLength ?? 0) || length > Number(maxLength ?? 1e9)) return false
  return format === undefined || /^\d{4}-\d\d-\d\d$/.test(value)
}

function member(key: string, value: string | null): string | null {
  return value === null ? null : `${JSON.stringify(key)}:${value}`
}

function joined(open: string, parts: readonly (string | null)[], close: string): string | null {
  return parts.includes(null) ? null : `${open}${parts.join(',')}${close}`
}
