import test from 'brittle'
import { jsonObjectSchema } from '../../../../helpers/protocol/json-object.js'

const schema = jsonObjectSchema(1_000)
const accepts = (value: unknown) => schema.safeParse(value).success

test('should accept JSON objects', (t) => {
  t.ok(accepts({}))
  t.ok(accepts({ type: 'object', required: ['a'], a: { b: [1, null, true, { c: 'x' }] } }))
})

test('should refuse what is no JSON object', (t) => {
  for (const value of [
    [],
    null,
    'x',
    1,
    { a: undefined },
    { a: () => 1 },
    { a: Number.NaN },
    { a: 1n },
  ]) {
    t.absent(accepts(value), String(value))
  }
})

test('should refuse what is too long', (t) => {
  t.ok(accepts({ a: 'x'.repeat(900) }))
  t.absent(accepts({ a: 'x'.repeat(1_000) }))
})

test('should refuse what is nested too deep, however deep that is', (t) => {
  const nested = (depth: number) => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)
  t.ok(accepts(nested(32)))
  t.absent(accepts(nested(33)))
  t.absent(jsonObjectSchema(10_000_000).safeParse(nested(5_000)).success)
})
