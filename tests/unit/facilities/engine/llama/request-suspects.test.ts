import test from 'brittle'
import { RequestSuspects } from '../../../../../facilities/engine/llama/request-suspects.js'

const SCHEMA = { type: 'array' }

/** The codes of the errors of those that are to blame. */
function codes(suspects: RequestSuspects, signal: string | null) {
  return [...suspects.errors(signal)].map(([request, { code }]) => [request, code])
}

test('should blame the schema of an answer of which a token is overdue', (t) => {
  const suspects = new RequestSuspects()
  suspects.began(1, undefined)
  suspects.began(2, SCHEMA)
  suspects.began(3, { type: 'null' })
  suspects.overdue([2], 'it took longer than 10 s')
  t.alike(codes(suspects, 'SIGKILL'), [[2, 'GRAMMAR_INVALID']])
  t.alike(suspects.schemas(), [SCHEMA])
})

test('should blame the request that began first what answers nobody', (t) => {
  const suspects = new RequestSuspects()
  suspects.began(1, SCHEMA)
  suspects.step(1, 'prompt')
  suspects.step(2, 'prompt')
  t.is(suspects.blocking, 1)
  suspects.step(1, null)
  t.is(suspects.blocking, 2)
  suspects.overdue([2], 'it took longer than 10 s')
  t.alike(codes(suspects, 'SIGKILL'), [[2, 'INVALID_REQUEST']])
  t.alike(suspects.schemas(), [])
})

test('should blame the request during whose step the process ended by itself', (t) => {
  for (const [step, code, schemas] of [
    ['prompt', 'INVALID_REQUEST', []],
    ['tokens', 'INVALID_REQUEST', []],
    ['grammar', 'GRAMMAR_INVALID', [SCHEMA]],
  ] as const) {
    const suspects = new RequestSuspects()
    suspects.began(1, SCHEMA)
    suspects.step(1, step)
    t.alike(codes(suspects, 'SIGABRT'), [[1, code]])
    t.alike(suspects.schemas(), [...schemas])
  }
})

test('should blame nobody when the process was ended from outside, or is through with all steps', (t) => {
  const suspects = new RequestSuspects()
  suspects.began(1, SCHEMA)
  suspects.step(1, 'grammar')
  t.alike(codes(suspects, 'SIGKILL'), [])
  suspects.step(1, null)
  t.alike(codes(suspects, 'SIGSEGV'), [])
  t.alike(suspects.schemas(), [])
})

test('should forget the schema of a request when the process is done with it', (t) => {
  const suspects = new RequestSuspects()
  suspects.began(1, SCHEMA)
  suspects.ended(1)
  suspects.overdue([1], 'it took longer than 10 s')
  t.alike(suspects.schemas(), [])
})
