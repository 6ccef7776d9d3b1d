import { resolve } from 'node:path'
import { Writable } from 'node:stream'
import test from 'brittle'
import { adviceFor } from '../../../../helpers/errors/advice.js'
import { ERROR_CODES } from '../../../../helpers/errors/error-codes.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { Output } from '../../../../workers/client/output.js'
import { settle } from '../../../helpers/until.js'

/** A stream whose writes end when the test says so. */
class Paper extends Writable {
  text = ''
  #done: (() => void)[] = []
  readonly #isSlow: boolean

  constructor(isSlow = false) {
    super({ highWaterMark: 4, decodeStrings: false })
    this.#isSlow = isSlow
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.text += chunk
    if (this.#isSlow) this.#done.push(done)
    else done()
  }

  async take(): Promise<void> {
    for (let done = this.#done.shift(); done; done = this.#done.shift()) done()
    await settle()
  }
}

function scene(json: boolean, isSlow = false) {
  const result = new Paper(isSlow)
  const notices = new Paper()
  return { result, notices, output: new Output({ json, home: resolve('data'), result, notices }) }
}

test('should write text for people by default', async (t) => {
  const { output, result, notices } = scene(false)
  output.line('Logged in.', { type: 'loggedIn' })
  await output.piece('be', { type: 'token', index: 0 })
  await output.piece('', { type: 'token', index: 1 })
  await output.piece('cause', { type: 'token', index: 2 })
  output.line('', { type: 'end' })
  output.notice('waiting')
  t.is(result.text, 'Logged in.\nbecause\n')
  t.is(notices.text, 'waiting\n')
})

test('should write one object a line when a program reads', async (t) => {
  const { output, result, notices } = scene(true)
  output.line('Logged in.', { type: 'loggedIn' })
  await output.piece('a\nb', { type: 'token', text: 'a\nb' })
  await output.piece('', { type: 'token', text: '' })
  output.notice('waiting')
  t.alike(
    result.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [{ type: 'loggedIn' }, { type: 'token', text: 'a\nb' }, { type: 'token', text: '' }],
  )
  t.is(notices.text, '', 'nothing that is not asked for')
})

/** As much as waits for a reader at most. */
const MOST = 4 * 1024 * 1024

test('should combine chunks in order when the reader stalls', async (t) => {
  const { output, result } = scene(false, true)
  let text = ''
  for (let index = 0; index < 1_000; index += 1) {
    await output.piece(`${index} `, {})
    text += `${index} `
  }
  const written = output.written(new AbortController().signal)
  while (result.writableLength > 0) await result.take()
  await written
  t.is(result.text, text)
})

test('should apply backpressure when the reader is very far behind', async (t) => {
  const { output, result } = scene(false, true)
  let isThrough = false
  await output.piece('x'.repeat(MOST - 1), {})
  const piece = output.piece('x', {}).then(() => {
    isThrough = true
  })
  await settle()
  t.absent(isThrough)
  await result.take()
  await result.take()
  await piece
  t.ok(isThrough)
})

test('should not wait forever when the reader closes the pipe', async (t) => {
  const { output, result } = scene(false, true)
  const piece = output.piece('x'.repeat(MOST), {})
  result.destroy()
  await piece
  await output.piece('more', {})
  await output.written(new AbortController().signal)
  t.is(result.listenerCount('drain'), 0)
  t.is(result.listenerCount('close'), 0)
})

test('should not wait for the reader when the command is told to end', async (t) => {
  const { output, result } = scene(false, true)
  const leaving = new AbortController()
  const piece = output.piece('x'.repeat(MOST), {}, leaving.signal)
  const written = output.written(leaving.signal)
  leaving.abort(new StarlingError('CANCELLED', 'Ctrl-C'))
  await piece
  await written
  await output.written(leaving.signal)
  t.ok(result.writableLength >= MOST, 'nobody has read it')
  t.is(result.listenerCount('drain'), 0)
  t.is(result.listenerCount('close'), 0)
})

test('should write a failure to standard error when people read', (t) => {
  const { output, result, notices } = scene(false)
  output.failure(new StarlingError('NOT_LOGGED_IN', 'There is no session'))
  t.is(notices.text, `There is no session (NOT_LOGGED_IN)\n  ${adviceFor('NOT_LOGGED_IN')}\n`)
  const bug = new TypeError('a bug')
  output.failure(bug)
  output.failure('a string')
  t.ok(notices.text.endsWith(`${bug.stack}\na string\n`))
  t.is(result.text, '')
})

test('should write a failure in the result, without internal details, when a program reads', (t) => {
  const { output, result, notices } = scene(true)
  output.failure(new StarlingError('PEER_LOST', 'gone', { cause: new Error('/secret/path') }))
  output.failure(new TypeError('/secret/path'))
  t.alike(
    result.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [
      {
        type: 'error',
        code: 'PEER_LOST',
        message: 'gone',
        retryable: true,
        whatToDo: ERROR_CODES.PEER_LOST.whatToDo,
      },
      {
        type: 'error',
        code: 'INTERNAL',
        message: 'The worker failed while it handled the request',
        retryable: false,
        whatToDo: ERROR_CODES.INTERNAL.whatToDo,
      },
    ],
  )
  t.is(notices.text, '')
})

test('should name the home in use when the advice is a command', (t) => {
  for (const json of [true, false]) {
    const [result, notices] = [new Paper(), new Paper()]
    const output = new Output({ json, home: '/srv/mesh', result, notices })
    output.failure(new StarlingError('AUTH_UNAVAILABLE', 'gone'))
    const text = json ? JSON.parse(result.text).whatToDo : notices.text.trimEnd()
    t.ok(text.endsWith('with the same home: node workers/auth.js --home /srv/mesh'), text)
  }
})

test('should say when to retry when the failure states it', (t) => {
  const { output, result } = scene(true)
  output.failure(new StarlingError('RATE_LIMITED', 'too often', { retryAfterMs: 5_900.5 }))
  t.is(JSON.parse(result.text).retryAfterMs, 5_901)
})

test('should show a remark only at a terminal', (t) => {
  const shownBy = (options: { json?: boolean; isTerminal?: boolean; isColored?: boolean }) => {
    const result = new Paper()
    const output = new Output({
      json: false,
      home: '/srv/mesh',
      result,
      notices: new Paper(),
      ...options,
    })
    output.detail('12 tokens')
    return result.text
  }
  t.is(shownBy({}), '')
  t.is(shownBy({ isTerminal: true, json: true }), '')
  t.is(shownBy({ isTerminal: true }), '12 tokens\n')
  t.is(shownBy({ isTerminal: true, isColored: true }), '\u001b[2m12 tokens\u001b[22m\n')
})

test('should break an answer between words at a terminal, and nowhere else', async (t) => {
  for (const [options, shown] of [
    [{ isTerminal: true, columns: () => 16 }, 'The quick brown\nfox jumps.\n'],
    [{ isTerminal: true, columns: () => undefined }, 'The quick brown fox jumps.\n'],
    [{ isTerminal: false, columns: () => 16 }, 'The quick brown fox jumps.\n'],
  ] as const) {
    const result = new Paper()
    const output = new Output({ json: false, home: '', result, notices: new Paper(), ...options })
    for (const piece of ['The qu', 'ick', ' brown f', 'ox jumps', '.'])
      await output.piece(piece, {})
    output.line('', { type: 'end' })
    t.is(result.text, shown)
  }
})

test('should write what it held back when an answer broke off in the middle of a word', async (t) => {
  const result = new Paper()
  const notices = new Paper()
  const output = new Output({
    json: false,
    home: '',
    result,
    notices,
    isTerminal: true,
    columns: () => 16,
  })
  await output.piece('be', {})
  t.is(result.text, '', 'the word may go on')
  output.cancelled()
  await output.piece('cause', {})
  output.failure(new StarlingError('PEER_LOST', 'gone'))
  await output.piece('so ', {})
  output.failure(new StarlingError('PEER_LOST', 'gone'))
  t.is(result.text, 'be\nstopped\ncause\nso \n')
})

test('should begin a new line when an answer broke off in the middle of a line', async (t) => {
  const { output, result, notices } = scene(false)
  await output.piece('be', {})
  output.failure(new StarlingError('PEER_LOST', 'gone'))
  output.failure(new StarlingError('PEER_LOST', 'gone'))
  await output.piece('a line\n', {})
  output.cancelled()
  await output.piece('cause', {})
  output.cancelled()
  t.is(result.text, 'be\na line\ncause\n')
  t.is(notices.text.split('gone').length, 3)
})

test('should say that an answer was ended when a program reads', async (t) => {
  const { output, result } = scene(true)
  await output.piece('be', { type: 'token' })
  output.cancelled()
  t.is(result.text, '{"type":"token"}\n{"type":"cancelled"}\n')
})

const EVIL = 'a\u001b[2Jb\u009bc\r\u202e'

test('should write nothing that a terminal acts on when an answer holds it, however it is cut', async (t) => {
  const { output, result } = scene(false)
  for (const piece of ['\u001b', '[2Jbe', '\u009b', 'cause\ud83d', '\udc4b\r', '\n\tso\r']) {
    await output.piece(piece, { type: 'token' })
  }
  output.line('', { type: 'end' })
  t.is(result.text, '\\x1b[2Jbe\\x9bcause👋\n\tso\\r\n')
})

test('should write nothing that a terminal acts on in a result, a remark, a notice or a failure', (t) => {
  const [result, notices] = [new Paper(), new Paper()]
  const output = new Output({ json: false, home: '', result, notices, isTerminal: true })
  output.line(`first ${EVIL}\nsecond`, {})
  output.detail(EVIL)
  output.notice(`${EVIL}\nforged`)
  output.failure(new StarlingError('ENGINE_CRASHED', `${EVIL}\nforged`))
  output.failure(new TypeError(`${EVIL}\nforged`))
  const shown = 'a\\x1b[2Jb\\x9bc\\r\\u{202e}'
  t.is(result.text, `first ${shown}\nsecond\n${shown}\n`)
  t.absent(/(?!\n)[\p{Cc}\u202e]/u.test(notices.text))
  const [notice, failure, whatToDo, bug] = notices.text.split('\n')
  t.is(notice, `${shown}\\nforged`)
  t.is(failure, `${shown}\\nforged (ENGINE_CRASHED)`)
  t.ok(whatToDo?.startsWith('  '))
  t.ok(bug?.startsWith(`TypeError: ${shown}`))
})

test('should give programs exactly what came, in JSON that a terminal does not act on', async (t) => {
  const { output, result } = scene(true)
  await output.piece(EVIL, { type: 'token', text: EVIL })
  output.line(EVIL, { type: 'model', name: EVIL })
  output.failure(new StarlingError('ENGINE_CRASHED', EVIL))
  t.absent(/(?!\n)[\p{Cc}\u202e]/u.test(result.text))
  const [token, model, error] = result.text.split('\n', 3).map((line) => JSON.parse(line))
  t.alike([token.text, model.name, error.message], [EVIL, EVIL, EVIL])
})

/** A terminal, or what is no terminal. */
function thinkingScene(options: { isTerminal: boolean; isColored: boolean; json?: boolean }) {
  const result = new Paper()
  const notices = new Paper()
  const output = new Output({ json: false, home: resolve('data'), result, notices, ...options })
  return { result, output }
}

test('should show a thought dimmed, and the answer apart from it, at a terminal', async (t) => {
  const { output, result } = thinkingScene({ isTerminal: true, isColored: true })
  await output.thought('', { index: 0 })
  await output.thought('Hm,', { index: 1 })
  await output.thought(' well.', { index: 2 })
  await output.piece('', { index: 3 })
  await output.piece('Yes.', { index: 4 })
  output.line('', { type: 'end' })
  t.is(result.text, '\u001b[2mHm, well.\u001b[22m\n\nYes.\n')
})

test('should mark thought and answer at a terminal without colours', async (t) => {
  const { output, result } = thinkingScene({ isTerminal: true, isColored: false })
  await output.thought('Hm.\n', { index: 0 })
  await output.piece('Yes.', { index: 1 })
  output.line('', { type: 'end' })
  t.is(result.text, '[thought] Hm.\n\n[answer] Yes.\n')
})

test('should write no thought into a pipe or a file, and every one for a program', async (t) => {
  const { output, result } = thinkingScene({ isTerminal: false, isColored: false })
  await output.thought('Hm.', { index: 0 })
  await output.piece('Yes.', { index: 1 })
  output.line('', { type: 'end' })
  t.is(result.text, 'Yes.\n')
  const program = thinkingScene({ isTerminal: false, isColored: false, json: true })
  await program.output.thought('Hm.', { kind: 'thought', text: 'Hm.' })
  t.is(program.result.text, '{"kind":"thought","text":"Hm."}\n')
})

test('should leave nothing dimmed when a thought breaks off', async (t) => {
  const failure = new StarlingError('PEER_LOST', 'lost')
  const ends = [
    (output: Output) => output.failure(failure),
    (output: Output) => output.cancelled(),
    (output: Output) => output.line('', { type: 'end' }),
  ]
  for (const end of ends) {
    const { output, result } = thinkingScene({ isTerminal: true, isColored: true })
    await output.thought('Hm', {})
    end(output)
    t.ok(result.text.startsWith('\u001b[2mHm\u001b[22m\n'), JSON.stringify(result.text))
    t.is(result.text.split('\u001b[2m').length, result.text.split('\u001b[22m').length)
  }
})

test('should write nothing of a thought that a terminal acts on, and none of it behind its end', async (t) => {
  const [result, notices] = [new Paper(), new Paper()]
  const terminal = { isTerminal: true, isColored: true, columns: () => 20 }
  const output = new Output({ json: false, home: '', result, notices, ...terminal })
  await output.thought('so \u001b[22mwell', {})
  await output.piece('Yes.', {})
  output.line('', {})
  t.is(result.text, '\u001b[2mso \\x1b[22mwell\u001b[22m\n\nYes.\n')
})
