import test from 'brittle'
import { jsonGrammar } from '../../../../helpers/json-grammar/json-grammar.js'
import { codeThrownBy } from '../../../helpers/property.js'

/** The rule of the whole answer, which follows what the root refers to. */
function ruleOf(schema: Record<string, unknown>): string {
  const rule = jsonGrammar(schema)
    .split('\n')
    .find((line) => line.startsWith('ref0 ::= '))
  return rule?.slice('ref0 ::= '.length) ?? ''
}

test('should ask for the required properties first and allow the others', (t) => {
  const properties = { a: { type: 'string' }, b: { type: 'integer' }, c: { type: 'null' } }
  t.is(
    ruleOf({ type: 'object', properties, required: ['b'] }),
    String.raw`( "{" "\"b\"" colon integer ( comma "\"a\"" colon string )? ( comma "\"c\"" colon null )? "}" )`,
  )
})

test('should begin with any of the properties when none is required', (t) => {
  const grammar = jsonGrammar({ properties: { a: true, b: { type: 'boolean' } } })
  t.ok(grammar.includes('( "{" ( member0 ( comma member1 )? | member1 )? "}" )'), grammar)
})

test('should write names and listed values as JSON', (t) => {
  t.is(
    ruleOf({ enum: ['a"b', 1.5, null, { x: ['é\n'] }] }),
    String.raw`( "\"a\\\"b\"" | "1.5" | "null" | "{\"x\":[\"é\\n\"]}" )`,
  )
  t.is(ruleOf({ type: 'string', enum: ['a', 1] }), String.raw`"\"a\""`)
  t.is(ruleOf({ const: false }), '"false"')
})

test('should bound lists, texts and numbers', (t) => {
  t.is(ruleOf({ type: 'array', items: { type: 'null' }, maxItems: 0 }), '( "["  "]" )')
  t.is(
    ruleOf({ type: 'array', items: { type: 'null' }, minItems: 1, maxItems: 3 }),
    '( "[" null ( comma null ){0,2} "]" )',
  )
  t.is(
    ruleOf({ prefixItems: [{ type: 'null' }], items: { type: 'boolean' }, minItems: 2 }),
    '( "[" null ( comma boolean ){1,} "]" )',
  )
  t.is(ruleOf({ type: 'string', minLength: 2, maxLength: 4 }), String.raw`( "\"" char{2,4} "\"" )`)
  t.is(ruleOf({ type: 'string', format: 'date' }), String.raw`( "\"" date "\"" )`)
  t.is(ruleOf({ type: 'string', format: 'email' }), 'string')
  t.is(ruleOf({ type: 'number', minimum: 0 }), '( digits fraction )')
  t.is(ruleOf({ type: 'integer', minimum: 0 }), 'digits')
  t.is(ruleOf({ type: 'integer', exclusiveMinimum: 0 }), '( [1-9] [0-9]{0,14} )')
  t.is(ruleOf({ type: 'integer', minimum: -1, exclusiveMaximum: 2 }), '( "-1" | "0" | "1" )')
  t.is(
    ruleOf({ type: 'integer', minimum: -9_007_199_254_740_991, maximum: 9_007_199_254_740_991 }),
    'integer',
  )
})

test('should take each of several types or schemas', (t) => {
  t.is(ruleOf({ type: ['string', 'null'] }), '( string | null )')
  t.is(ruleOf({ anyOf: [{ type: 'string' }, { type: 'null' }] }), '( string | null )')
  t.is(ruleOf({ oneOf: [{ type: 'boolean' }], description: 'x' }), 'boolean')
  t.is(ruleOf({ allOf: [{ type: 'boolean' }] }), 'boolean')
  t.is(ruleOf({}), 'value')
  t.is(
    ruleOf({ type: 'object' }),
    '( "{" ( ( string colon value ) ( comma ( string colon value ) )* )? "}" )',
  )
})

test('should follow references, and recursion that can end', (t) => {
  const grammar = jsonGrammar({
    $ref: '#/$defs/tree',
    $defs: {
      tree: {
        type: 'object',
        properties: { left: { $ref: '#/$defs/tree' }, value: { $ref: '#/definitions/value' } },
        required: ['value'],
      },
    },
    definitions: { value: { type: 'integer' } },
  })
  t.ok(grammar.includes('root ::= ref0\n'))
  t.ok(grammar.includes('ref0 ::= ref1\n'))
  t.ok(grammar.includes(String.raw`( comma "\"left\"" colon ref1 )?`), grammar)
})

const many = (count: number, value: unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, value]))

const UNUSABLE: Record<string, Record<string, unknown>> = {
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
