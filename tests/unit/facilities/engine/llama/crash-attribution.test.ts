import test from 'brittle'
import {
  CrashAttribution,
  SchemaRefusals,
} from '../../../../../facilities/engine/llama/crash-attribution.js'
import type { RecordedStep } from '../../../../../facilities/engine/llama/step-record.js'
import { codeThrownBy } from '../../../../helpers/property.js'

const SCHEMA = { type: 'array' }

/** Suspects of a process that does, or did when it ended, this step. */
const doing = (step: RecordedStep | null) => new CrashAttribution(() => step)

/** The codes of the errors of those that are to blame. */
function codes(suspects: CrashAttribution, signal: string | null) {
  return [...suspects.errors(signal)].map(([request, { code }]) => [request, code])
}

test('should blame the schema of an answer of which a token is overdue', (t) => {
  const suspects = doing(null)
  suspects.began(1, undefined)
  suspects.began(2, SCHEMA)
  suspects.began(3, { type: 'null' })
  suspects.overdue([2], 'it took longer than 10 s')
  t.alike(codes(suspects, 'SIGKILL'), [[2, 'GRAMMAR_INVALID']])
  t.alike(suspects.schemas(), [SCHEMA])
})

test('should blame the request during which the process stops answering', (t) => {
  const suspects = doing({ request: 2, step: 'prompt' })
  suspects.began(2, SCHEMA)
  suspects.overdue([2], 'it took longer than 10 s')
  t.alike(codes(suspects, 'SIGKILL'), [[2, 'INVALID_REQUEST']])
  t.alike(suspects.schemas(), [], 'its schema has no part in it')
})

test('should blame the request during whose step the process ended by itself', (t) => {
  for (const [step, code, schemas] of [
    ['prompt', 'INVALID_REQUEST', []],
    ['tokens', 'INVALID_REQUEST', []],
    ['grammar', 'GRAMMAR_INVALID', [SCHEMA]],
  ] as const) {
    const suspects = doing({ request: 1, step })
    suspects.began(1, SCHEMA)
    t.alike(codes(suspects, 'SIGABRT'), [[1, code]])
    t.alike(suspects.schemas(), [...schemas])
  }
})

test('should blame no request when the process was ended from outside, or between all steps', (t) => {
  const suspects = doing({ request: 1, step: 'grammar' })
  suspects.began(1, SCHEMA)
  t.alike(codes(suspects, 'SIGKILL'), [])
  const others = doing(null)
  others.began(1, SCHEMA)
  t.alike(codes(others, 'SIGSEGV'), [])
  t.alike(others.schemas(), [])
})

test('should forget the schema of a request when the process is done with it', (t) => {
  const suspects = doing(null)
  suspects.began(1, SCHEMA)
  suspects.ended(1)
  suspects.overdue([1], 'it took longer than 10 s')
  t.alike(suspects.schemas(), [])
})

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
