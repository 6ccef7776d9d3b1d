import test from 'brittle'
import { ReadableLines } from '../../../../facilities/log/readable-lines.js'

/** What becomes of one of pino's lines. */
function readable(fields: object): string {
  const lines: string[] = []
  const output = new ReadableLines({ write: (line) => void lines.push(line) })
  const common = { level: 30, time: Date.UTC(2026, 0, 1, 12, 0, 1, 250), pid: 1, name: 'auth' }
  output.write(`${JSON.stringify({ ...common, ...fields })}\n`)
  return lines.join('|')
}

test('should begin with time, worker and level when a line is written', (t) => {
  t.is(readable({ msg: 'ready' }), '12:00:01.250 auth info  ready\n')
  t.is(readable({ msg: 'ready', level: 50 }), '12:00:01.250 auth error ready\n')
  t.is(readable({ msg: 'ready', level: 35 }), '12:00:01.250 auth       ready\n')
})

test('should end with the fields when there are any', (t) => {
  t.is(
    readable({ msg: 'm', hostname: 'x', peer: 'gw', n: 1 }),
    '12:00:01.250 auth info  m {"peer":"gw","n":1}\n',
  )
  t.is(readable({ peer: 'gw' }), '12:00:01.250 auth info   {"peer":"gw"}\n')
})

test('should explain an expected failure in its line when it has a code', (t) => {
  const err = { type: 'Error', code: 'PEER_LOST', message: 'it left', stack: 'at x' }
  t.is(readable({ msg: 'refused', err }), '12:00:01.250 auth info  refused (PEER_LOST: it left)\n')
})

test('should give the code alone when there is nothing more to say of a failure', (t) => {
  const err = { type: 'StarlingError', code: 'OVERLOADED' }
  t.is(readable({ msg: 'refused', err }), '12:00:01.250 auth info  refused (OVERLOADED)\n')
})

test('should show where an unexpected failure happened when it has no code', (t) => {
  const err = { type: 'TypeError', message: 'no', stack: 'TypeError: no\n    at x' }
  t.is(
    readable({ msg: 'failed', err }),
    '12:00:01.250 auth info  failed\nTypeError: no\n    at x\n',
  )
})

test('should leave a failure out when there is none', (t) => {
  t.is(readable({ msg: 'fine', err: null }), '12:00:01.250 auth info  fine\n')
})
