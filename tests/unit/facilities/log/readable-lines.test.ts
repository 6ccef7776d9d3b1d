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
  t.is(readable({ msg: 'ready' }), '2026-01-01T12:00:01.250Z auth info  ready\n')
  t.is(readable({ msg: 'ready', level: 50 }), '2026-01-01T12:00:01.250Z auth error ready\n')
  t.is(readable({ msg: 'ready', level: 35 }), '2026-01-01T12:00:01.250Z auth       ready\n')
})

test('should end with the fields when there are any', (t) => {
  t.is(
    readable({ msg: 'm', hostname: 'x', peer: 'gw', n: 1 }),
    '2026-01-01T12:00:01.250Z auth info  m {"peer":"gw","n":1}\n',
  )
  t.is(readable({ peer: 'gw' }), '2026-01-01T12:00:01.250Z auth info   {"peer":"gw"}\n')
})

test('should explain an expected failure in its line when it has a code', (t) => {
  const err = { type: 'Error', code: 'PEER_LOST', message: 'it left', stack: 'at x' }
  t.is(
    readable({ msg: 'refused', err }),
    '2026-01-01T12:00:01.250Z auth info  refused (PEER_LOST: it left)\n',
  )
})

test('should give only the code when a failure has no further detail', (t) => {
  const err = { type: 'StarlingError', code: 'OVERLOADED' }
  t.is(
    readable({ msg: 'refused', err }),
    '2026-01-01T12:00:01.250Z auth info  refused (OVERLOADED)\n',
  )
})

test('should show where an unexpected failure happened when it has no code', (t) => {
  const err = { type: 'TypeError', message: 'no', stack: 'TypeError: no\n    at x' }
  t.is(
    readable({ msg: 'failed', err }),
    '2026-01-01T12:00:01.250Z auth info  failed\n    TypeError: no\n        at x\n',
  )
})

test('should leave a failure out when there is none', (t) => {
  t.is(readable({ msg: 'fine', err: null }), '2026-01-01T12:00:01.250Z auth info  fine\n')
})

const FORGED = '\u001b[2J\u009b\u202e\n2026-01-01T12:00:02.000Z auth info  forged'

/** All of what a line holds, its end aside, with nothing that a terminal acts on. */
function isOneSafeLine(line: string): boolean {
  return /^[^\p{Cc}\p{Cf}\p{Zl}]+\n$/u.test(line)
}

test('should write one line without control characters whatever its parts hold', (t) => {
  t.ok(isOneSafeLine(readable({ msg: FORGED })))
  t.ok(isOneSafeLine(readable({ msg: 'm', name: FORGED })))
  t.ok(isOneSafeLine(readable({ msg: 'm', [FORGED]: FORGED })))
  t.ok(isOneSafeLine(readable({ msg: 'm', err: { code: FORGED, message: FORGED } })))
  t.ok(isOneSafeLine(readable({ msg: 'm', err: { code: FORGED } })))
})

test('should indent what follows the first line so that it cannot pass for another', (t) => {
  const err = { type: 'Error', message: FORGED, stack: `Error: ${FORGED}\n    at x` }
  const lines = readable({ msg: 'failed', err }).trimEnd().split('\n')
  t.is(lines.length, 4)
  for (const line of lines.slice(1)) {
    t.ok(line.startsWith('    '), line)
    t.absent(/[\p{Cc}\u202e]/u.test(line))
  }
  t.ok(readable({ msg: 'failed', err: { message: 'no stack' } }).endsWith('\n    no stack\n'))
})
