import {
  afterOthers,
  bounds,
  type Expression,
  either,
  finite,
  hasType,
  invalid,
  list,
  numberOf,
  stringOf,
  times,
} from './grammar-parts.js'
import { JSON_RULES, literal } from './grammar-rules.js'
import { integerRange } from './integer-range.js'
import {
  isSchema,
  refuseKeywords,
  type Schema,
  type SchemaType,
  schemaTypes,
} from './schema-keywords.js'

/** Schemas within a schema, each reference counted once. */
const MAX_SCHEMAS = 1000

/** Values that a schema lists, integer ranges included: each is tried for each token. */
const MAX_VALUES = 512

/** Properties of an object that may all be left out: which comes first is a choice of its own. */
const MAX_OPTIONAL_PROPERTIES = 64

/**
 * The grammar, in llama.cpp's GBNF, of JSON values that are valid to a schema.
 *
 * What it allows is always valid. It does not allow everything that is: the properties that have to be
 * there come first, none comes that the schema does not name, numbers have at most 15 digits, and
 * there is at most one space after a comma or colon. Of `oneOf`, too, any that fits is taken.
 *
 * What a grammar cannot hold an answer to (`pattern`, `not`, `multipleOf`, …) is refused, not ignored;
 * a `format` other than date, time, date-time and uuid is an annotation, as JSON Schema has it.
 * References are to `#`, `#/$defs/NAME` and `#/definitions/NAME`, also recursive ones.
 *
 * @param schema JSON Schema, draft 7 or 2020-12
 * @throws StarlingError GRAMMAR_INVALID, with the place in the schema
 */
export function jsonGrammar(schema: Schema): string {
  return new JsonGrammar(schema).text()
}

class JsonGrammar {
  readonly #root: Schema
  readonly #rules: string[] = []
  /** What stands for each schema that is referred to. */
  readonly #references = new Map<string, { rule: string; expression: Expression | null }>()
  #schemas = 0
  #values = 0

  constructor(root: Schema) {
    this.#root = root
  }

  text(): string {
    const { gbnf } = this.#reference('#', '#')
    this.#refuseEndless()
    const rules = Object.entries(JSON_RULES).map(([name, rule]) => `${name} ::= ${rule}`)
    return [`root ::= ${gbnf}`, ...this.#rules, ...rules].join('\n')
  }

  #expression(schema: unknown, at: string): Expression {
    this.#schemas += 1
    if (this.#schemas > MAX_SCHEMAS) throw invalid('#', `it has more than ${MAX_SCHEMAS} schemas`)
    if (schema === true) return finite('value')
    if (!isSchema(schema)) throw invalid(at, 'no value is valid to it')
    const refused = refuseKeywords(schema)
    if (refused !== null) throw invalid(at, refused)
    const { $ref, anyOf, oneOf, allOf } = schema
    if ($ref !== undefined) return this.#reference($ref, at)
    if (schema.const !== undefined) return this.#listed([schema.const], schema, at)
    if (schema.enum !== undefined) return this.#listed(schema.enum, schema, at)
    const combined = anyOf ?? oneOf ?? allOf
    if (combined === undefined) return this.#typed(schema, at)
    if (!Array.isArray(combined) || combined.length === 0) throw invalid(at, 'a list is empty')
    if (allOf !== undefined && combined.length > 1) {
      throw invalid(at, 'allOf of several cannot be enforced')
    }
    return either(combined.map((one, index) => this.#expression(one, `${at}/${index}`)))
  }

  #reference(reference: unknown, at: string): Expression {
    const name = String(reference)
    const known = this.#references.get(name)
    const rule = known?.rule ?? `ref${this.#references.size}`
    if (known === undefined) {
      const target = this.#resolve(name)
      if (target === undefined) throw invalid(at, `${name} is not there`)
      const entry: { rule: string; expression: Expression | null } = { rule, expression: null }
      this.#references.set(name, entry)
      entry.expression = this.#expression(target, name)
      this.#rules.push(`${rule} ::= ${entry.expression.gbnf}`)
    }
    return { gbnf: rule, ends: (ending) => ending.has(name) }
  }

  #resolve(reference: string): unknown {
    if (reference === '#') return this.#root
    const [, group = '', name = ''] = /^#\/(\$defs|definitions)\/([^/]+)$/.exec(reference) ?? []
    const definitions = this.#root[group]
    if (!isSchema(definitions) || !Object.hasOwn(definitions, name)) return undefined
    return definitions[name]
  }

  /** @throws StarlingError when every value would hold another one, without end */
  #refuseEndless(): void {
    const ending = new Set<string>()
    for (let before = -1; before < ending.size; ) {
      before = ending.size
      for (const [name, { expression }] of this.#references) {
        if (expression?.ends(ending)) ending.add(name)
      }
    }
    if (!ending.has('#')) throw invalid('#', 'its recursion never ends')
  }

  #listed(values: unknown, schema: Schema, at: string): Expression {
    const types = schema.type === undefined ? null : schemaTypes(schema)
    const allowed = Array.isArray(values)
      ? values.filter((value) => types?.some((type) => hasType(value, type)) ?? true)
      : []
    if (allowed.length === 0) throw invalid(at, 'it allows no value')
    return this.#literals(allowed.map((value) => JSON.stringify(value)))
  }

  #literals(texts: readonly string[]): Expression {
    this.#values += texts.length
    if (this.#values > MAX_VALUES) throw invalid('#', `it lists more than ${MAX_VALUES} values`)
    return either(texts.map((text) => finite(literal(text))))
  }

  #typed(schema: Schema, at: string): Expression {
    const types = schemaTypes(schema)
    if (types === null) return finite('value')
    if (types.length === 0) throw invalid(at, 'its type is unknown')
    return either(types.map((type) => this.#ofType(type, schema, at)))
  }

  #ofType(type: SchemaType, schema: Schema, at: string): Expression {
    switch (type) {
      case 'object':
        return this.#object(schema, at)
      case 'array':
        return this.#array(schema, at)
      case 'string':
        return finite(stringOf(schema, at))
      case 'integer':
        return this.#integer(schema, at)
      case 'number':
        return finite(numberOf(schema, at))
      case 'boolean':
      case 'null':
        return finite(type)
    }
  }

  #integer(schema: Schema, at: string): Expression {
    const range = integerRange(schema)
    if (range === null) throw invalid(at, 'its range cannot be enforced')
    return 'rule' in range ? finite(range.rule) : this.#literals(range.values.map(String))
  }

  #object(schema: Schema, at: string): Expression {
    const { additionalProperties = true } = schema
    const properties = schema.properties ?? {}
    if (!isSchema(properties)) throw invalid(at, 'its properties are no object')
    const required = new Set(Array.isArray(schema.required) ? schema.required.map(String) : [])
    const names = new Set([...required, ...Object.keys(properties)])
    if (names.size === 0) return this.#map(schema, at)
    const { min, max = names.size } = bounds(schema, 'minProperties', 'maxProperties', at)
    if (min > required.size || max < names.size) {
      throw invalid(at, 'how many properties it has cannot be enforced')
    }
    const members = [...names].map((name) => {
      const inner = Object.hasOwn(properties, name) ? properties[name] : additionalProperties
      const value = this.#expression(inner, `${at}/properties/${name}`)
      const gbnf = `${literal(JSON.stringify(name))} colon ${value.gbnf}`
      return { isRequired: required.has(name), gbnf, ends: value.ends }
    })
    const needed = members.filter(({ isRequired }) => isRequired)
    const optional = members.filter(({ isRequired }) => !isRequired).map(({ gbnf }) => gbnf)
    const inside =
      needed.length > 0
        ? needed.map(({ gbnf }) => gbnf).join(' comma ') + optional.map(afterOthers).join('')
        : this.#anyOfThem(optional, at)
    return {
      gbnf: `( "{" ${inside} "}" )`,
      ends: (known) => needed.every(({ ends }) => ends(known)),
    }
  }

  /** Members of which each may be left out. */
  #anyOfThem(members: readonly string[], at: string): string {
    if (members.length > MAX_OPTIONAL_PROPERTIES) {
      throw invalid(at, `more than ${MAX_OPTIONAL_PROPERTIES} properties, none of them required`)
    }
    const rules = members.map((member) => {
      const rule = `member${this.#rules.length}`
      this.#rules.push(`${rule} ::= ${member}`)
      return rule
    })
    const beginnings = rules.map(
      (rule, index) =>
        rule +
        rules
          .slice(index + 1)
          .map(afterOthers)
          .join(''),
    )
    return `( ${beginnings.join(' | ')} )?`
  }

  /** An object whose properties are not named. */
  #map(schema: Schema, at: string): Expression {
    const { additionalProperties = true } = schema
    const { min, max } = bounds(schema, 'minProperties', 'maxProperties', at)
    // The same name may come twice.
    if (min > 1) throw invalid(at, 'how many properties it has cannot be enforced')
    if (additionalProperties === false) {
      if (min > 0) throw invalid(at, 'no value is valid to it')
      return finite('( "{" "}" )')
    }
    const value = this.#expression(additionalProperties, `${at}/additionalProperties`)
    const inside = list(`( string colon ${value.gbnf} )`, min, max)
    return { gbnf: `( "{" ${inside} "}" )`, ends: (known) => min === 0 || value.ends(known) }
  }

  #array(schema: Schema, at: string): Expression {
    const prefix = schema.prefixItems ?? []
    if (!Array.isArray(prefix)) throw invalid(at, 'prefixItems is no list')
    const { min, max } = bounds(schema, 'minItems', 'maxItems', at)
    const first = prefix.map((item, index) => this.#expression(item, `${at}/prefixItems/${index}`))
    const least = Math.max(min - first.length, 0)
    const most = max === undefined ? undefined : max - first.length
    if (most !== undefined && most < 0) throw invalid(at, 'maxItems is less than prefixItems has')
    const endsFirst = (known: ReadonlySet<string>) => first.every(({ ends }) => ends(known))
    const { items = true } = schema
    if (most === 0 || items === false || (first.length > 0 && least === 0 && items === true)) {
      if (least > 0) throw invalid(at, 'no value is valid to it')
      return {
        gbnf: `( "[" ${first.map(({ gbnf }) => gbnf).join(' comma ')} "]" )`,
        ends: endsFirst,
      }
    }
    const item = this.#expression(items, `${at}/items`)
    const before = first.map(({ gbnf }) => `${gbnf} `).join('comma ')
    const rest =
      first.length === 0
        ? list(item.gbnf, least, most)
        : `( comma ${item.gbnf} )${times(least, most)}`
    return {
      gbnf: `( "[" ${before}${rest} "]" )`,
      ends: (known) => endsFirst(known) && (least === 0 || item.ends(known)),
    }
  }
}
