import { PassThrough } from 'node:stream'
import test from 'brittle'
import { stub } from 'sinon'
import { readPassword } from '../../../../../workers/client/input/read-password.js'
import { rejectionOf, settle } from '../../../../helpers/until.js'

/** Standard input, and all that is written to the terminal. */
function scene(isTTY: boolean) {
  const input = Object.assign(new PassThrough(), { isTTY, setRawMode: () => undefined })
  const output = new PassThrough()
  const shown = () => String(output.read() ?? '')
  const read = (fromInput: boolean, signal = new AbortController().signal) =>
    readPassword({ input, output }, { fromInput, signal })
  return { input, output, shown, read }
}

test('should take the first line when it is told to take standard input', async (t) => {
  for (const [piped, password] of [
    ['correct horse\n', 'correct horse'],
    ['correct horse', 'correct horse'],
    ['correct horse\r\n', 'correct horse'],
    ['correct horse\nsecond line\n', 'correct horse'],
    [' correct horse \n', ' correct horse '],
  ] as const) {
    const { input, read, shown } = scene(false)
    input.end(piped)
    t.is(await read(true), password)
    t.is(shown(), '', 'nothing is asked')
  }
})

test('should not wait for the end of the input when a line is there', async (t) => {
  const { input, read } = scene(false)
  const password = read(true)
  input.write('correct ')
  input.write('horse\n')
  t.is(await password, 'correct horse')
})

test('should keep its characters whole when they arrive in two pieces', async (t) => {
  const { input, read } = scene(false)
  const bytes = Buffer.from('pässwörter\n')
  const password = read(true)
  for (const byte of bytes) {
    input.write(Buffer.of(byte))
    await settle(1)
  }
  t.is(await password, 'pässwörter')
})

test('should stop reading when a file was piped in by mistake', async (t) => {
  const { input, read } = scene(false)
  const password = read(true)
  input.write('x'.repeat(5_000))
  t.ok((await password).length >= 4096, 'to be refused for its length')
})

test('should give up at once when it is told to end while nothing comes', async (t) => {
  const { read } = scene(false)
  const controller = new AbortController()
  const password = rejectionOf(read(true, controller.signal))
  await settle()
  const reason = new Error('Ctrl-C')
  controller.abort(reason)
  t.is(await password, reason)
})

test('should say so when the input holds no password', async (t) => {
  for (const piped of ['', '\n', '\r\n', '\ncorrect horse']) {
    const { input, read } = scene(false)
    input.end(piped)
    await t.exception(read(true), {
      code: 'BAD_USAGE',
      message: 'Standard input contains no password',
    })
  }
})

test('should say what to do when there is no terminal to ask at', async (t) => {
  const { read, shown } = scene(false)
  await t.exception(read(false), {
    code: 'BAD_USAGE',
    message: 'There is no terminal to enter the password at; use --password-stdin',
  })
  t.is(shown(), '')
})

test('should ask without showing what is typed when there is a terminal', async (t) => {
  const { input, read, shown } = scene(true)
  const password = read(false)
  input.write('correct horse\n')
  t.is(await password, 'correct horse')
  t.is(shown(), 'Password: \n')
})

test('should take standard input without asking when it is told to, also at a terminal', async (t) => {
  const { input, read, shown } = scene(true)
  input.end('correct horse\n')
  t.is(await read(true), 'correct horse')
  t.is(shown(), '')
})

test('should give up when Ctrl-C or Ctrl-D is typed, or the terminal goes away', async (t) => {
  for (const typed of ['\u0003', '\u0004', null]) {
    const { input, read, shown } = scene(true)
    const password = read(false)
    if (typed === null) input.end()
    else input.write(typed)
    await t.exception(password, { code: 'CANCELLED', message: 'No password was entered' })
    t.is(shown(), 'Password: \n')
  }
})

test('should ask again when the job was stopped by Ctrl-Z and goes on', async (t) => {
  const { input, output, shown } = scene(true)
  const session = { stopJob: stub(), close: stub() }
  const openSession = stub().returns(session)
  const password = readPassword(
    { input, output, openSession },
    { fromInput: false, signal: new AbortController().signal },
  )
  input.write('correct \u001a')
  await settle(5)
  t.is(session.stopJob.callCount, 1)
  openSession.firstCall.args[0].onContinued()
  t.is(shown(), 'Password: Password: ')
  input.write('horse\n')
  t.is(await password, 'correct horse')
  t.is(session.close.callCount, 1)
})

test('should give up when the process is told to end while it asks', async (t) => {
  const { read, shown } = scene(true)
  const controller = new AbortController()
  const password = read(false, controller.signal)
  controller.abort()
  await t.exception(password, { code: 'CANCELLED' })
  t.is(shown(), 'Password: \n')
})
