import test from 'brittle'
import { createLog, type LogLevel } from '../../../../facilities/log/log.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'

/** A log whose lines a test can read. */
function heard(level: LogLevel, json: boolean) {
  const lines: string[] = []
  const output = { write: (line: string) => void lines.push(line) }
  return { log: createLog({ name: 'gateway', level, json, output }), lines }
}

test('should write one JSON object a line when programs read it', (t) => {
  const { log, lines } = heard('info', true)
  log.info({ port: 1 }, 'listening')
  t.is(lines.length, 1)
  t.ok(lines[0]?.endsWith('}\n'))
  const { time, pid, ...rest } = JSON.parse(lines[0] ?? '')
  t.alike(rest, { level: 30, name: 'gateway', port: 1, msg: 'listening' })
  t.is(pid, process.pid)
  t.is(typeof time, 'number')
})

test('should write a line for people when no program reads it', (t) => {
  const { log, lines } = heard('info', false)
  log.info({ port: 1 }, 'listening')
  t.is(lines.length, 1)
  const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`
  t.ok(new RegExp(`^${time} gateway info  listening \\{"port":1\\}\n$`).test(lines[0] ?? ''))
})

test('should write what is as grave as its level or more when there is less', (t) => {
  const levels = ['trace', 'debug', 'info', 'warn', 'error'] as const
  const { log, lines } = heard('warn', true)
  for (const level of levels) log[level](level)
  t.alike(
    lines.map((line) => JSON.parse(line).msg),
    ['warn', 'error'],
  )
  const silent = heard('silent', true)
  for (const level of levels) silent.log[level](level)
  t.is(silent.lines.length, 0)
})

test('should name the code and the place when an error is written for programs', (t) => {
  const { log, lines } = heard('info', true)
  const cause = new Error('below')
  log.error(
    { err: new StarlingError('PEER_LOST', 'gone', { cause }), requestId: 'req_1' },
    'failed',
  )
  const { err, requestId } = JSON.parse(lines[0] ?? '')
  t.is(err.code, 'PEER_LOST')
  t.ok(err.message.startsWith('gone'))
  t.ok(err.stack.includes('below'), 'with its cause')
  t.is(requestId, 'req_1')
})

const PASSWORD = 'correct horse battery'
const SESSION = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl'
const PROMPT = 'how do I leave him'

test('should write no secret, no prompt and no answer, at any depth', (t) => {
  for (const json of [true, false]) {
    const { log, lines } = heard('trace', json)
    const said = {
      ...{ password: PASSWORD, token: SESSION, credential: PASSWORD, apiKey: PASSWORD },
      ...{ secretKey: PASSWORD, authorization: PASSWORD, prompt: PROMPT, text: PROMPT },
      messages: [{ role: 'user', content: PROMPT }],
    }
    for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) {
      log[level](said, 'flat')
      log[level]({ request: { body: said, list: [{ deeper: [said] }] } }, 'deep')
      log[level]({ err: Object.assign(new Error('failed'), said) }, 'with an error')
      log[level](Object.assign(new Error('failed'), said))
      log[level]({ note: `Bearer ${SESSION}` }, `got ${SESSION} from %s %o`, SESSION, said)
      log.child(said)[level]('child')
      log.child({ deep: [said] })[level]('child')
    }
    const everything = lines.join('')
    t.is(lines.length, 35)
    for (const secret of [PASSWORD, SESSION, PROMPT]) {
      t.absent(everything.includes(secret), `${json ? 'json' : 'readable'}: ${secret}`)
    }
    t.ok(everything.includes('[redacted]'))
  }
})

test('should say an error of ours whole, and of a peer its code alone', (t) => {
  for (const json of [true, false]) {
    const { log, lines } = heard('info', json)
    log.info({ err: new StarlingError('OVERLOADED', 'The line is full') }, 'ours')
    const told = new StarlingError('OVERLOADED', PROMPT, { isFromPeer: true })
    log.info({ err: told }, 'theirs')
    log.info(told)
    log.error(
      { err: new StarlingError('PEER_LOST', 'The processor left', { cause: told }) },
      'both',
    )
    t.ok(lines[0]?.includes('The line is full'))
    t.ok(lines[1]?.includes('OVERLOADED'))
    t.ok(lines[2]?.includes('OVERLOADED'))
    t.ok(lines[3]?.includes('The processor left'))
    t.absent(lines.join('').includes(PROMPT))
  }
})

test('should keep what every line of a child begins with', (t) => {
  const { log, lines } = heard('info', true)
  log.child({ requestId: 'req_1' }).info('answered')
  t.is(JSON.parse(lines[0] ?? '').requestId, 'req_1')
})

test('should write no control character for programs, and what they parse is what was logged', (t) => {
  const { log, lines } = heard('info', true)
  const evil = 'a\u009b2J\u007f\u202e\u2028b'
  log.info({ peer: evil }, evil)
  t.absent(/[\p{Cc}\p{Cf}\p{Zl}]/u.test((lines[0] ?? '').trimEnd()))
  const { peer, msg } = JSON.parse(lines[0] ?? '')
  t.alike([peer, msg], [evil, evil])
})
