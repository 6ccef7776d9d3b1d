import {
  type Call,
  type GrammarSymbol,
  GrammarSymbols,
  type Rule,
  type Sequence,
} from './grammar-symbols.js'
import { integerRange } from './integer-range.js'
import { JsonValues } from './json-values.js'
import { boundsOf, hasType, invalid, isFromZero } from './schema-checks.js'
import {
  isSchema,
  refuseKeywords,
  type Schema,
  type SchemaType,
  schemaTypes,
} from './schema-keywords.js'

/** Schemas within a schema, each reference counted once. */
const MAX_SCHEMAS = 1000

/** Values that a schema lists, integer ranges included. */
const MAX_VALUES = 512

/** Properties of an object without required ones: each of them can be the first. */
const MAX_OPTIONAL_PROPERTIES = 64

/** A named property. */
interface Member {
  readonly isRequired: boolean
  /** The rule for name and value. */
  readonly call: Call
}

/** Translates a JSON schema into rules for its valid values. */
export class SchemaRules {
  readonly symbols = new GrammarSymbols()
  readonly values = new JsonValues(this.symbols)
  readonly #root: Schema
  /** The translation of each referenced schema; the symbol is null while it is in progress. */
  readonly #references = new Map<string, { rule: Rule; symbol: GrammarSymbol | null }>()
  #schemas = 0
  #listedValues = 0

  constructor(root: Schema) {
    this.#root = root
  }

  /** The rule for the whole value. @throws StarlingError GRAMMAR_INVALID, with the place in the schema */
  root(): Rule {
    const symbol = this.#reference('#', '#')
    return this.symbols.rule({ at: '#', alternatives: [this.symbols.sequence(symbol)] })
  }

  #symbol(schema: unknown, at: string): GrammarSymbol {
    this.#schemas += 1
    if (this.#schemas > MAX_SCHEMAS) throw invalid('#', `it has more than ${MAX_SCHEMAS} schemas`)
    if (schema === true) return this.values.value
    if (!isSchema(schema)) throw invalid(at, 'no value can match it')
    const refused = refuseKeywords(schema)
    if (refused !== null) throw invalid(at, refused)
    const { $ref, anyOf, oneOf, allOf } = schema
    if ($ref !== undefined) return this.#reference(String($ref), at)
    if (schema.const !== undefined) return this.#listed([schema.const], schema, at)
    if (schema.enum !== undefined) return this.#listed(schema.enum, schema, at)
    const combined = anyOf ?? oneOf ?? allOf
    if (combined === undefined) return this.#schemaOfType(schema, at)
    if (!Array.isArray(combined) || combined.length === 0) throw invalid(at, 'a list is empty')
    if (allOf !== undefined && combined.length > 1) {
      throw invalid(at, 'allOf with several schemas cannot be enforced')
    }
    return this.#either(
      combined.map((one, index) => this.#symbol(one, `${at}/${index}`)),
      at,
    )
  }

  #either(symbols: readonly GrammarSymbol[], at: string): GrammarSymbol {
    const [only, ...others] = new Set(symbols)
    if (only !== undefined && others.length === 0) return only
    const alternatives = symbols.map((symbol) => this.symbols.sequence(symbol))
    return this.symbols.call(this.symbols.rule({ at, alternatives }))
  }

  #reference(name: string, at: string): GrammarSymbol {
    const known = this.#references.get(name)
    if (known !== undefined) return known.symbol ?? this.symbols.call(known.rule)
    const target = this.#resolve(name)
    if (target === undefined) throw invalid(at, `${name} does not exist`)
    const rule = this.symbols.openRule(name)
    this.#references.set(name, { rule, symbol: null })
    const symbol = this.#symbol(target, name)
    rule.alternatives = [this.symbols.sequence(symbol)]
    this.#references.set(name, { rule, symbol })
    return symbol
  }

  #resolve(reference: string): unknown {
    if (reference === '#') return this.#root
    const [, group = '', name = ''] = /^#\/(\$defs|definitions)\/([^/]+)$/.exec(reference) ?? []
    const definitions = this.#root[group]
    if (!isSchema(definitions) || !Object.hasOwn(definitions, name)) return undefined
    return definitions[name]
  }

  #listed(values: unknown, schema: Schema, at: string): GrammarSymbol {
    const types = schema.type === undefined ? null : schemaTypes(schema)
    const allowed = Array.isArray(values)
      ? values.filter((value) => types?.some((type) => hasType(value, type)) ?? true)
      : []
    if (allowed.length === 0) throw invalid(at, 'it allows no value')
    return this.#oneOf(
      allowed.map((value) => JSON.stringify(value)),
      at,
    )
  }

  #oneOf(values: readonly string[], at: string): GrammarSymbol {
    this.#listedValues += values.length
    if (this.#listedValues > MAX_VALUES)
      throw invalid('#', `it lists more than ${MAX_VALUES} values`)
    return this.values.oneOf(values, at)
  }

  #schemaOfType(schema: Schema, at: string): GrammarSymbol {
    const types = schemaTypes(schema)
    if (types === null) return this.values.value
    if (types.length === 0) throw invalid(at, 'its type is unknown')
    const symbols = [...new Set(types)].map((type) => this.#ofType(type, schema, at))
    return this.#either(symbols, at)
  }

  #ofType(type: SchemaType, schema: Schema, at: string): GrammarSymbol {
    switch (type) {
      case 'object':
        return this.#object(schema, at)
      case 'array':
        return this.#array(schema, at)
      case 'string':
        return this.#string(schema, at)
      case 'integer':
        return this.#integer(schema, at)
      case 'number':
        return isFromZero(schema, at) ? this.values.amount : this.values.number
      case 'boolean':
      case 'null':
        return this.values[type]
    }
  }

  #string(schema: Schema, at: string): GrammarSymbol {
    const { min, max = null } = boundsOf(schema, 'minLength', 'maxLength', at)
    const format = this.values.formats.get(schema.format)
    if (min === 0 && max === null && format !== undefined) return format
    return this.values.text(min, max, at)
  }

  #integer(schema: Schema, at: string): GrammarSymbol {
    const range = integerRange(schema)
    if (range === null) throw invalid(at, 'its range cannot be enforced')
    return 'kind' in range ? this.values[range.kind] : this.#oneOf(range.values.map(String), at)
  }

  #object(schema: Schema, at: string): GrammarSymbol {
    const { additionalProperties = true } = schema
    const properties = schema.properties ?? {}
    if (!isSchema(properties)) throw invalid(at, 'its properties are not an object')
    const required = new Set(Array.isArray(schema.required) ? schema.required.map(String) : [])
    const names = new Set([...required, ...Object.keys(properties)])
    if (names.size === 0) return this.#map(schema, at)
    const { min, max = names.size } = boundsOf(schema, 'minProperties', 'maxProperties', at)
    if (min > required.size || max < names.size) {
      throw invalid(at, 'the number of its properties cannot be enforced')
    }
    const members = [...names].map((name): Member => {
      const inner = Object.hasOwn(properties, name) ? properties[name] : additionalProperties
      const value = this.#symbol(inner, `${at}/properties/${name}`)
      const key = this.symbols.literal(JSON.stringify(name))
      return { isRequired: required.has(name), call: this.#member(key, value, at) }
    })
    return this.#ofMembers(members, at)
  }

  #member(key: GrammarSymbol, value: GrammarSymbol, at: string): Call {
    const alternative = this.symbols.sequence(key, this.values.colon, value)
    return this.symbols.call(this.symbols.rule({ at, alternatives: [alternative] }))
  }

  /** Required properties come first, followed by any subset of the others in their order. */
  #ofMembers(members: readonly Member[], at: string): GrammarSymbol {
    const needed = members.filter(({ isRequired }) => isRequired).map(({ call }) => call)
    const optional = members.filter(({ isRequired }) => !isRequired).map(({ call }) => call)
    if (needed.length === 0 && optional.length > MAX_OPTIONAL_PROPERTIES) {
      throw invalid(at, `more than ${MAX_OPTIONAL_PROPERTIES} properties, none of them required`)
    }
    const { comma } = this.values
    const [open, close] = [this.symbols.literal('{'), this.symbols.literal('}')]
    // Built backwards: the choice among the remaining properties, and what can follow each of them.
    let after: GrammarSymbol = close
    let choice: Call | null = null
    for (const member of optional.toReversed()) {
      const taken = this.symbols.sequence(member, after)
      const alternatives = choice === null ? [taken] : [taken, this.symbols.sequence(choice)]
      choice = this.symbols.call(this.symbols.rule({ at, alternatives, isDistinct: true }))
      after = this.#rule([[close], [comma, choice]], at)
    }
    if (needed.length > 0) {
      const required = needed.flatMap((member) => [comma, member]).slice(1)
      return this.#rule([[open, ...required, after]], at)
    }
    return this.#rule([[open, close], ...(choice === null ? [] : [[open, choice]])], at)
  }

  /** An object without named properties. */
  #map(schema: Schema, at: string): GrammarSymbol {
    const { additionalProperties = true } = schema
    const { min, max = null } = boundsOf(schema, 'minProperties', 'maxProperties', at)
    // A grammar cannot prevent that a name occurs twice.
    if (min > 1) throw invalid(at, 'the number of its properties cannot be enforced')
    if (additionalProperties === false) {
      if (min > 0) throw invalid(at, 'no value can match it')
      return this.#list('{', null, '}', { min: 0, max: 0 }, at)
    }
    const value = this.#symbol(additionalProperties, `${at}/additionalProperties`)
    const member = this.#member(this.values.string, value, at)
    return this.#list('{', member, '}', { min, max }, at)
  }

  #array(schema: Schema, at: string): GrammarSymbol {
    const prefix = schema.prefixItems ?? []
    if (!Array.isArray(prefix)) throw invalid(at, 'prefixItems is not an array')
    const { min, max } = boundsOf(schema, 'minItems', 'maxItems', at)
    const first = prefix.map((item, index) => this.#symbol(item, `${at}/prefixItems/${index}`))
    const least = Math.max(min - first.length, 0)
    const most = max === undefined ? null : max - first.length
    if (most !== null && most < 0) throw invalid(at, 'maxItems is less than prefixItems has')
    const { items = true } = schema
    const isWhole =
      most === 0 || items === false || (first.length > 0 && least === 0 && items === true)
    if (isWhole && least > 0) throw invalid(at, 'no value can match it')
    const item = isWhole ? null : this.#symbol(items, `${at}/items`)
    if (first.length === 0) return this.#list('[', item, ']', { min: least, max: most }, at)
    const given = first.flatMap((one) => [this.values.comma, one]).slice(1)
    const more = item === null ? [] : this.#further(item, least, most, at)
    const [open, close] = [this.symbols.literal('['), this.symbols.literal(']')]
    return this.#rule([[open, ...given, ...more, close]], at)
  }

  /** Items between brackets, separated by commas. */
  #list(
    opening: string,
    item: GrammarSymbol | null,
    closing: string,
    { min, max }: { readonly min: number; readonly max: number | null },
    at: string,
  ): GrammarSymbol {
    const [open, close] = [this.symbols.literal(opening), this.symbols.literal(closing)]
    const none = min === 0 ? [[open, close]] : []
    if (item === null || max === 0) return this.#rule(none, at)
    const more = this.#further(item, Math.max(min - 1, 0), max === null ? null : max - 1, at)
    return this.#rule([...none, [open, item, ...more, close]], at)
  }

  /** More items, each after a comma. */
  #further(item: GrammarSymbol, min: number, max: number | null, at: string): GrammarSymbol[] {
    if (max === 0) return []
    return [this.symbols.repetition(this.#rule([[this.values.comma, item]], at), min, max)]
  }

  #rule(alternatives: readonly (readonly GrammarSymbol[])[], at: string): Call {
    const sequences = alternatives.map((one): Sequence => this.symbols.sequence(...one))
    return this.symbols.call(this.symbols.rule({ at, alternatives: sequences }))
  }
}
