import test from 'brittle'
import { SchemaRefusals } from '../../../../../facilities/engine/llama/refusals.js'
import { codeThrownBy } from '../../../../helpers/property.js'

test('should refuse a schema that was added, and no other', (t) => {
  const refused = new SchemaRefusals()
  refused.add({ type: 'array', items: {} })
  t.is(
    codeThrownBy(() => refused.check({ type: 'array', items: {} })),
    'GRAMMAR_INVALID',
  )
  refused.check({ type: 'array' })
  refused.check(undefined)
})

test('should forget the one that was added first when there are more than 256', (t) => {
  const refused = new SchemaRefusals()
  for (let index = 0; index <= 256; index++) refused.add({ const: index })
  refused.check({ const: 0 })
  t.is(
    codeThrownBy(() => refused.check({ const: 1 })),
    'GRAMMAR_INVALID',
  )
})
