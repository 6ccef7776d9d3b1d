/** Keywords that say something about a value without restricting it. */
const ANNOTATIONS = new Set([
  ...['title', 'description', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly'],
  ...['$schema', '$id', '$comment', '$anchor', '$defs', 'definitions'],
])

/** Keywords that define a value on their own. */
const WHOLE = ['$ref', 'const', 'enum', 'anyOf', 'oneOf', 'allOf']

const RANGE = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum']

const OF_TYPE = {
  object: ['properties', 'required', 'additionalProperties', 'minProperties', 'maxProperties'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
  string: ['minLength', 'maxLength', 'format'],
  number: RANGE,
  integer: RANGE,
  boolean: [],
  null: [],
} as const satisfies Record<string, readonly string[]>

const OF_SOME_TYPE = new Set<string>(['type', ...Object.values(OF_TYPE).flat()])

/** The types of JSON Schema. */
export type SchemaType = keyof typeof OF_TYPE

/** A schema that is not just true or false. */
export type Schema = Readonly<Record<string, unknown>>

export function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Why a grammar cannot enforce a schema's keywords; null if it can. */
export function refuseKeywords(schema: Schema): string | null {
  const keywords = Object.keys(schema).filter((keyword) => !ANNOTATIONS.has(keyword))
  const unknown = keywords.find((keyword) => !WHOLE.includes(keyword) && !OF_SOME_TYPE.has(keyword))
  if (unknown !== undefined) return `${unknown} cannot be enforced`
  const whole = keywords.find((keyword) => WHOLE.includes(keyword))
  if (whole === undefined) return null
  const lists = whole === 'const' || whole === 'enum'
  const others = keywords.filter((keyword) => keyword !== whole && !(lists && keyword === 'type'))
  return others.length === 0
    ? null
    : `${whole} together with ${others.join(', ')} cannot be enforced`
}

/**
 * The types that a schema allows; unknown ones are left out. A schema without `type` that has keywords
 * of a type is taken to mean that type. Null: any value.
 */
export function schemaTypes(schema: Schema): SchemaType[] | null {
  if (schema.type !== undefined) return [schema.type].flat().filter(isSchemaType)
  for (const type of ['object', 'array', 'string', 'number'] as const) {
    if (OF_TYPE[type].some((keyword) => schema[keyword] !== undefined)) return [type]
  }
  return null
}

function isSchemaType(type: unknown): type is SchemaType {
  return typeof type === 'string' && Object.hasOwn(OF_TYPE, type)
}
