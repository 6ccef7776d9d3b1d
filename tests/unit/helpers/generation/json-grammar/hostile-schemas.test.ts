import test from 'brittle'
import {
  jsonGrammar,
  MAX_PARSE_STACKS,
} from '../../../../../helpers/generation/json-grammar/json-grammar.js'
import { GbnfReader } from '../../../../helpers/json-grammar/gbnf-reader.js'
import { codeThrownBy } from '../../../../helpers/property.js'

type Schema = Record<string, unknown>

/** Of a grammar's text; llama.cpp keeps some six times as much of each. */
const MAX_GRAMMAR_BYTES = 131_072

const properties = (count: number, schema: (index: number) => Schema) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, schema(index)]))

const object = (members: Record<string, unknown>, more: Schema = {}): Schema => ({
  type: 'object',
  properties: members,
  required: Object.keys(members),
  ...more,
})

const TREE = { $ref: '#/$defs/tree' }
const FOREST = { type: 'array', items: TREE }

function tree(...alternatives: Schema[]): Schema {
  return { ...TREE, $defs: { tree: { anyOf: alternatives } } }
}

function nested(levels: number, bounds: Schema = {}): Schema {
  let schema: Schema = { type: 'string' }
  for (let level = 0; level < levels; level++) schema = { type: 'array', items: schema, ...bounds }
  return schema
}

/** Schemas that people write, and a text that each allows. */
const USUAL: Record<string, [Schema, string]> = {
  'alternatives told apart by their first property': [
    { anyOf: ['a', 'b', 'c'].map((kind) => object({ kind: { const: kind }, [kind]: true })) },
    '{"kind":"b","b":[1]}',
  ],
  'the same in a list, behind references': [
    {
      type: 'array',
      items: { anyOf: [{ $ref: '#/$defs/cat' }, { $ref: '#/$defs/dog' }] },
      $defs: {
        cat: object({
          name: { type: 'string' },
          kind: { const: 'cat' },
          lives: { type: 'integer' },
        }),
        dog: object({ name: { type: 'string' }, kind: { const: 'dog' }, tricks: FOREST }),
        tree: { type: 'null' },
      },
    },
    '[{"name":"x","kind":"dog","tricks":[null]},{"name":"y","kind":"cat","lives":9}]',
  ],
  'an expression': [
    tree(
      object({ operator: { const: 'number' }, value: { type: 'number' } }),
      object({ operator: { const: 'add' }, left: TREE, right: TREE }),
      object({ operator: { const: 'negate' }, value: TREE }),
    ),
    '{"operator":"add","left":{"operator":"number","value":1},"right":{"operator":"negate","value":{"operator":"number","value":2}}}',
  ],
  'a tree whose children come before what tells its nodes apart': [
    tree(
      object({ children: FOREST, kind: { const: 'folder' } }),
      object({ children: FOREST, kind: { const: 'link' }, to: { type: 'string' } }),
    ),
    '{"children":[{"children":[],"kind":"link","to":"x"}],"kind":"folder"}',
  ],
  'a nested object before what tells its nodes apart': [
    tree(
      object({ data: object({ leaf: { type: 'number' } }), kind: { const: 'leaf' } }),
      object({ data: object({ left: TREE, right: TREE }), kind: { const: 'node' } }),
    ),
    '{"data":{"left":{"data":{"leaf":1},"kind":"leaf"},"right":{"data":{"leaf":2},"kind":"leaf"}},"kind":"node"}',
  ],
  'a linked list': [
    {
      $ref: '#/$defs/tree',
      $defs: { tree: object({ value: true, next: { anyOf: [TREE, { type: 'null' }] } }) },
    },
    '{"value":1,"next":{"value":"x","next":null}}',
  ],
  'a constant or any text, in a tree': [
    tree(
      object({ type: { const: 'leaf' }, value: { type: 'number' } }),
      object({ type: { type: 'string' }, children: FOREST }),
    ),
    '{"type":"leaf","children":[{"type":"leaf","value":1}]}',
  ],
  'integers or fractions, then another property': [
    {
      anyOf: [
        object({ value: { type: 'integer' }, unit: { type: 'string' } }),
        object({ value: { type: 'number' }, label: { type: 'string' } }),
      ],
    },
    '{"value":12,"label":"x"}',
  ],
  'many optional properties that go on alike': [
    { $ref: '#/$defs/tree', $defs: { tree: { properties: properties(64, () => TREE) } } },
    '{"p3":{"p5":{}},"p60":{}}',
  ],
  'ten lists within each other': [nested(10), '[[[[[[[[[["x"]]]]]]]]]]'],
  'thirty lists within each other': [nested(30), `${'['.repeat(30)}${']'.repeat(30)}`],
  'a long key': [
    object({ ['k'.repeat(60_000)]: { type: 'null' } }),
    `{"${'k'.repeat(60_000)}":null}`,
  ],
  'hundreds of long values': [
    { enum: Array.from({ length: 512 }, (_, index) => `${'value '.repeat(15)}${index}`) },
    `"${'value '.repeat(15)}511"`,
  ],
}

for (const [name, [schema, text]] of Object.entries(USUAL)) {
  test(`should allow ${name}, with few readings at once`, (t) => {
    const reader = new GbnfReader(jsonGrammar(schema))
    t.ok(reader.accepts(text))
    t.ok(reader.mostReadings(text) <= 70)
  })
}

test('should read equal alternatives once, however deep they refer to themselves', (t) => {
  const list = { type: 'array', items: { $ref: '#/$defs/a' } }
  const grammar = jsonGrammar({
    $ref: '#/$defs/a',
    $defs: { a: { anyOf: [list, list, list, list] } },
  })
  t.is(new GbnfReader(grammar).mostReadings('['.repeat(100)), 2, 'one more, or the end')
})

test('should take no more of a grammar for each list within another', (t) => {
  const growth = jsonGrammar(nested(20)).length - jsonGrammar(nested(10)).length
  t.ok(growth < 1_000, `${growth} characters for ten more`)
})

/** Schemas that would stall llama.cpp, or fill its memory. */
const HOSTILE: Record<string, Schema> = {
  'recursion in several alternatives that begin alike': tree(
    object({ x: { anyOf: [TREE, { type: 'string' }] }, a: true }),
    object({ x: { additionalProperties: TREE }, b: true }),
    object({ x: {}, c: true }),
  ),
  'more values that begin differently than can be tried': {
    enum: Array.from({ length: 300 }, (_, index) => String.fromCodePoint(0x4e00 + index)),
  },
  'more optional properties than can be tried': {
    properties: properties(400, () => ({ type: 'null' })),
    required: ['p0'],
  },
  'long bounds, all of them different': object(
    properties(20, (index) => ({ type: 'string', maxLength: 1_000 - index })),
  ),
  'a grammar that is too long': { const: '\\'.repeat(40_000) },
}

for (const [name, schema] of Object.entries(HOSTILE)) {
  test(`should fail with GRAMMAR_INVALID when a schema has ${name}`, (t) => {
    t.is(
      codeThrownBy(() => jsonGrammar(schema)),
      'GRAMMAR_INVALID',
    )
  })
}

/** Schemas that are large in one way or another, and of which no part may grow with the others. */
const LARGE: Record<string, Schema> = {
  'lists of 1,000 lists of 1,000 lists of 1,000 texts': nested(3, {
    minItems: 1_000,
    maxItems: 1_000,
  }),
  'the same bound in many places': object(
    properties(400, () => ({ type: 'string', minLength: 1, maxLength: 1_000 })),
  ),
  'texts of other lengths before what tells them apart': {
    anyOf: [1_000, 900, 800].map((maxLength, index) =>
      object({ text: { type: 'string', maxLength }, [`p${index}`]: true }),
    ),
  },
  'alternatives of alternatives, each twice': {
    $ref: '#/$defs/a0',
    $defs: Object.fromEntries(
      Array.from({ length: 20 }, (_, index) =>
        ['a', 'b'].map((name): [string, Schema] => [
          `${name}${index}`,
          index === 19
            ? { type: name === 'a' ? 'string' : 'null' }
            : { oneOf: ['a', 'b'].map((next) => ({ $ref: `#/$defs/${next}${index + 1}` })) },
        ]),
      ).flat(),
    ),
  },
  'lists of alternatives of lists, each twice': {
    $ref: '#/$defs/a0',
    $defs: Object.fromEntries(
      Array.from({ length: 12 }, (_, index) =>
        ['a', 'b'].map((name): [string, Schema] => [
          `${name}${index}`,
          index === 11
            ? { type: name === 'a' ? 'string' : 'null' }
            : {
                allOf: [
                  {
                    oneOf: ['a', 'b'].map((next) => ({
                      type: 'array',
                      items: { $ref: `#/$defs/${next}${index + 1}` },
                    })),
                  },
                ],
              },
        ]),
      ).flat(),
    ),
  },
  'a long key, or any': {
    anyOf: [object({ ['k'.repeat(10_000)]: true }), { additionalProperties: { type: 'integer' } }],
  },
  'many variants of an object': {
    anyOf: Array.from({ length: 12 }, (_, variant) => ({
      properties: properties(12, (index) => ({
        type: ['string', 'integer', 'boolean', 'array'][(variant + index) % 4],
      })),
    })),
  },
}

for (const [name, schema] of Object.entries(LARGE)) {
  test(`should make a grammar that stays small of ${name}`, (t) => {
    const grammar = jsonGrammar(schema)
    t.ok(grammar.length <= MAX_GRAMMAR_BYTES / 4, `${grammar.length} characters`)
    const reader = new GbnfReader(grammar)
    t.ok(reader.leftSteps(10_000) < 10_000)
    t.ok(reader.mostReadings('{"text":"aaaaaa","p1":[[[[[[{}') <= MAX_PARSE_STACKS)
    t.ok(reader.mostReadings('[[[[[[[[[[[[') <= MAX_PARSE_STACKS)
  })
}
