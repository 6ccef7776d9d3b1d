import test, { type Test } from 'brittle'
import { jsonGrammar } from '../../../../../helpers/generation/json-grammar/json-grammar.js'
import { GbnfReader } from '../../../../helpers/json-grammar/gbnf-reader.js'
import { codeThrownBy } from '../../../../helpers/property.js'

type Schema = Record<string, unknown>

/** The grammar allows these texts, and not those. */
function allows(
  t: Test,
  schema: Schema,
  texts: readonly string[],
  others: readonly string[],
): void {
  const reader = new GbnfReader(jsonGrammar(schema))
  const name = JSON.stringify(schema).slice(0, 80)
  for (const text of texts) t.ok(reader.accepts(text), `${name} allows ${text}`)
  for (const text of others) t.absent(reader.accepts(text), `${name} does not allow ${text}`)
}

test('should ask for the required properties first and allow the others in their order', (t) => {
  const properties = { a: { type: 'string' }, b: { type: 'integer' }, c: { type: 'null' } }
  allows(
    t,
    { type: 'object', properties, required: ['b'] },
    ['{"b":1}', '{"b": -20, "a":"x"}', '{"b":1,"c":null}', '{"b":1,"a":"","c":null}'],
    ['{}', '{"a":"x"}', '{"b":1,"c":null,"a":""}', '{"b":1,"b":1}', '{"b":1,}', '{"b":1.5}'],
  )
})

test('should begin with any of the properties when none is required', (t) => {
  allows(
    t,
    { properties: { a: true, b: { type: 'boolean' } } },
    ['{}', '{"a":[1,{"x":null}]}', '{"b":true}', '{"a":0,"b":false}'],
    ['{"b":true,"a":0}', '{"c":1}', '{,"b":true}', '{"a":0'],
  )
})

test('should write names and listed values as JSON', (t) => {
  allows(
    t,
    { enum: ['a"b', 1.5, null, { x: ['é\n'] }] },
    [String.raw`"a\"b"`, '1.5', 'null', String.raw`{"x":["é\n"]}`],
    ['"a"b"', '1', '1.', '{"x":["é"]}'],
  )
  allows(t, { type: 'string', enum: ['a', 1] }, ['"a"'], ['1', 'a'])
  allows(t, { const: false }, ['false'], ['true', 'fals'])
  allows(
    t,
    { properties: { 'a"\\\n': true }, required: ['a"\\\n'] },
    [String.raw`{"a\"\\\n":1}`],
    ['{"a":1}'],
  )
  allows(
    t,
    { enum: [1, 12, 123, -1, 2] },
    ['1', '12', '123', '-1', '2'],
    ['13', '1234', '-', '-12'],
  )
})

test('should bound lists, texts and numbers', (t) => {
  const nulls = { type: 'array', items: { type: 'null' } }
  allows(t, { ...nulls, maxItems: 0 }, ['[]'], ['[null]'])
  allows(
    t,
    { ...nulls, minItems: 1, maxItems: 3 },
    ['[null]', '[null, null]', '[null,null,null]'],
    ['[]', '[null,null,null,null]'],
  )
  allows(
    t,
    { prefixItems: [{ type: 'null' }], items: { type: 'boolean' }, minItems: 2 },
    ['[null,true]', '[null,true,false,true]'],
    ['[null]', '[true,true]', '[null,null]'],
  )
  allows(t, { prefixItems: [{ type: 'null' }] }, ['[null]'], ['[]', '[null,1]'])
  allows(t, { items: false }, ['[]'], ['[1]'])
  allows(
    t,
    { type: 'string', minLength: 2, maxLength: 4 },
    ['"ab"', String.raw`"\n\u00e9é"`, '"abcd"'],
    ['"a"', '"abcde"', String.raw`"a\ud800"`],
  )
  allows(t, { type: 'string', format: 'date' }, ['"2026-01-28"'], ['"2026-13-28"', '"x"'])
  allows(t, { type: 'string', format: 'date-time' }, ['"2026-01-28T23:59:59.5Z"'], ['"2026-01-28"'])
  allows(t, { type: 'string', format: 'email' }, ['"anything"'], ['1'])
  allows(t, { type: 'number', minimum: 0 }, ['0', '1.5e3', '12'], ['-1', '01', '1.'])
  allows(t, { type: 'number' }, ['-1.5E-3', '0'], ['--1', '1e300', '.5'])
  allows(t, { type: 'integer', minimum: 0 }, ['0', '17'], ['-1', '1.5'])
  allows(t, { type: 'integer', exclusiveMinimum: 0 }, ['1', '10'], ['0', '-1'])
  allows(t, { type: 'integer', minimum: -1, exclusiveMaximum: 2 }, ['-1', '0', '1'], ['2', '-2'])
  allows(
    t,
    { type: 'integer', minimum: -9_007_199_254_740_991, maximum: 9_007_199_254_740_991 },
    ['-999999999999999', '0'],
    ['9999999999999999'],
  )
})

test('should take each of several types or schemas', (t) => {
  allows(t, { type: ['string', 'null'] }, ['"x"', 'null'], ['1'])
  allows(t, { anyOf: [{ type: 'string' }, { type: 'null' }] }, ['"x"', 'null'], ['1'])
  allows(t, { oneOf: [{ type: 'boolean' }], description: 'x' }, ['true'], ['null'])
  allows(t, { allOf: [{ type: 'boolean' }] }, ['true'], ['null'])
  allows(t, {}, ['{"a":[1,"x",{}],"b":null}', '1', '"x"', '[]'], ['{a:1}', '[1', ''])
  allows(t, { type: 'object' }, ['{}', '{"x":1,"y":[]}'], ['[]', '{"x"}'])
  allows(
    t,
    { additionalProperties: { type: 'null' }, maxProperties: 2 },
    ['{"x":null,"y":null}'],
    ['{"x":1}', '{"x":null,"y":null,"z":null}'],
  )
  allows(t, { type: 'object', additionalProperties: false }, ['{}'], ['{"x":1}'])
})

test('should follow references, and recursion that can end', (t) => {
  const schema = {
    $ref: '#/$defs/tree',
    $defs: {
      tree: {
        type: 'object',
        properties: { left: { $ref: '#/$defs/tree' }, value: { $ref: '#/definitions/value' } },
        required: ['value'],
      },
    },
    definitions: { value: { type: 'integer' } },
  }
  allows(
    t,
    schema,
    ['{"value":1}', '{"value":1,"left":{"value":2,"left":{"value":3}}}'],
    ['{"left":{"value":1}}', '{"value":1,"left":1}'],
  )
})

test('should name the place of what cannot be used, in few words', (t) => {
  const message = (schema: Schema) => {
    try {
      return jsonGrammar(schema)
    } catch (error) {
      return Object(error).message
    }
  }
  const name = 'k'.repeat(60_000)
  t.ok(message({ properties: { a: { not: {} } } }).includes('#/properties/a: not cannot'))
  for (const schema of [
    { properties: { [name]: { not: {} } } },
    { [name]: 1 },
    { $ref: `#/$defs/${name}` },
  ]) {
    t.ok(message(schema).length < 500)
  }
})

const many = (count: number, value: unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, value]))

const UNUSABLE: Record<string, Schema> = {
  'a pattern': { type: 'string', pattern: '^a' },
  not: { not: { type: 'string' } },
  'a property with an unknown keyword': { properties: { a: { multipleOf: 3 } } },
  'an unknown type': { type: 'text' },
  'a false schema': { properties: { a: false } },
  'several of allOf': { allOf: [{ type: 'string' }, { minLength: 2 }] },
  'an empty anyOf': { anyOf: [] },
  'an empty enum': { enum: [] },
  'an enum of another type': { type: 'string', enum: [1] },
  'anyOf beside a type': { type: 'string', anyOf: [{ minLength: 1 }] },
  'a reference to nothing': { $ref: '#/$defs/x' },
  'a reference elsewhere': { $ref: 'https://example.com/schema' },
  'recursion that never ends': { properties: { a: { $ref: '#' } }, required: ['a'] },
  'a reference to itself': { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/a' } } },
  'an alternative that is the whole': { anyOf: [{ $ref: '#' }, { type: 'null' }] },
  'a range of fractions': { type: 'number', maximum: 1 },
  'a long range': { type: 'integer', minimum: 0, maximum: 100_000 },
  'an empty range': { type: 'integer', minimum: 2, maximum: 1 },
  'a bound that is no number': { type: 'integer', minimum: 'x' },
  'more than can be repeated': { type: 'string', maxLength: 5_000 },
  'a negative bound': { type: 'array', minItems: -1 },
  'bounds the wrong way round': { type: 'array', minItems: 3, maxItems: 2 },
  'fewer properties than it names': { properties: many(3, true), maxProperties: 2 },
  'more properties than it names': { properties: {}, required: ['a'], minProperties: 2 },
  'too many schemas': { properties: many(1_001, true), required: ['p1'] },
  'too many optional properties': { properties: many(65, true) },
  'too many values': { enum: Array.from({ length: 513 }, (_, index) => index) },
}

for (const [name, schema] of Object.entries(UNUSABLE)) {
  test(`should fail with GRAMMAR_INVALID when the schema has ${name}`, (t) => {
    t.is(
      codeThrownBy(() => jsonGrammar(schema)),
      'GRAMMAR_INVALID',
    )
  })
}
