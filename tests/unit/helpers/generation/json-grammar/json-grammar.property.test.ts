import test from 'brittle'
import fc from 'fast-check'
import {
  jsonGrammar,
  MAX_PARSE_STACKS,
} from '../../../../../helpers/generation/json-grammar/json-grammar.js'
import { GbnfReader } from '../../../../helpers/json-grammar/gbnf-reader.js'
import { type Schema, SchemaTexts, schemas } from '../../../../helpers/json-grammar/schema-texts.js'
import { ensure, holds } from '../../../../helpers/property.js'

const EXAMPLES = 25

/** A grammar, or null for a schema that is refused. */
function grammarOf(schema: Schema): string | null {
  try {
    return jsonGrammar(schema)
  } catch (error) {
    ensure(Object(error).code === 'GRAMMAR_INVALID', String(Object(error).stack))
    return null
  }
}

/** Numbers that are drawn one after the other, again and again. */
const choices = fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 40 })

function chooser(numbers: readonly number[]): (below: number) => number {
  let next = 0
  return (below) => ((numbers[next++ % numbers.length] ?? 0) + next * 7) % below
}

test('should allow no text that is not valid to the schema, whatever the schema', async (t) => {
  const property = fc.property(schemas(), choices, (schema, numbers) => {
    const grammar = grammarOf(schema)
    if (grammar === null) return
    const { text, isWhole } = new GbnfReader(grammar).write(chooser(numbers), 120)
    ensure(!isWhole || new SchemaTexts(schema).has(text), `not valid: ${text}`)
  })
  await holds(t, property, EXAMPLES)
})

test('should allow what is valid to the schema, whatever was rewritten', async (t) => {
  const property = fc.property(schemas(), choices, (schema, numbers) => {
    const grammar = grammarOf(schema)
    const text = grammar === null ? null : new SchemaTexts(schema).write(chooser(numbers))
    if (grammar === null || text === null) return
    ensure(new GbnfReader(grammar).accepts(text), `not allowed: ${text}`)
  })
  await holds(t, property, EXAMPLES)
})

test('should keep the readings of one text below the limit, whatever the schema and the text', async (t) => {
  const property = fc.property(schemas(), choices, (schema, numbers) => {
    const grammar = grammarOf(schema)
    if (grammar === null) return
    const reader = new GbnfReader(grammar)
    const written = reader.write(chooser(numbers), 120).text
    const most = Math.max(reader.mostReadings(written), reader.mostReadings(reader.worstText(40)))
    ensure(most <= MAX_PARSE_STACKS, `${most} readings`)
    ensure(reader.leftSteps(100_000) < 100_000, 'llama.cpp would look for left recursion for ever')
  })
  await holds(t, property, EXAMPLES)
})

test('should refuse few realistic schemas for properties with the same beginning', async (t) => {
  let tried = 0
  let refused = 0
  const property = fc.property(schemas(), (schema) => {
    tried += 1
    try {
      jsonGrammar(schema)
    } catch (error) {
      refused += String(error).includes('too ambiguous') ? 1 : 0
    }
  })
  await holds(t, property, EXAMPLES)
  t.ok(refused <= 1 + tried / 20, `${refused} of ${tried}`)
})
