import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import test from 'brittle'
import { stub } from 'sinon'
import { TerminalSession } from '../../../../facilities/cli/terminal-session.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'

const [PASTE_ON, PASTE_OFF] = ['\x1b[?2004h', '\x1b[?2004l']

/** This process, as far as a session sees it: what it does to itself is written down. */
class ProcessStandIn extends EventEmitter {
  readonly pid = 4711
  readonly #log: string[]

  constructor(log: string[]) {
    super()
    this.#log = log
  }

  kill(pid: number, signal: string): void {
    this.#log.push(`${signal} to ${pid}, ${this.listenerCount('SIGTSTP')} listeners`)
  }
}

function scene(options: { marksPastes?: boolean } = {}) {
  const log: string[] = []
  const clock = new VirtualClock()
  const process = new ProcessStandIn(log)
  const screen = new PassThrough()
  screen.setEncoding('utf8')
  const write = screen.write.bind(screen)
  screen.write = (text: string) => {
    log.push(text === PASTE_ON ? 'paste on' : text === PASTE_OFF ? 'paste off' : text)
    return write(text)
  }
  const session = new TerminalSession({
    screen,
    clock,
    setRawMode: (isRaw) => log.push(`raw ${isRaw}`),
    onContinued: () => log.push('continued'),
    process,
    ...options,
  })
  session.open()
  return { session, process, clock, log: () => log.splice(0) }
}

test('should take the terminal and give it back', (t) => {
  const { session, process, log, clock } = scene()
  t.alike(log(), ['paste on'])
  session.close()
  t.alike(log(), ['paste off', 'raw false'])
  session.close()
  process.emit('SIGCONT')
  t.alike(log(), [], 'it is not ours any more')
  t.alike(process.eventNames(), [])
  t.is(clock.pending, 0)
})

test('should give the terminal back when the process ends in whatever way', (t) => {
  const { process, log } = scene()
  log()
  process.emit('exit')
  t.alike(log(), ['paste off', 'raw false'])
})

test('should give the terminal back before the job is stopped, and take it again after', (t) => {
  const { session, process, clock, log } = scene()
  log()
  session.stopJob()
  t.alike(log(), ['paste off', 'raw false', 'SIGTSTP to 0, 0 listeners'])
  session.stopJob()
  t.alike(log(), [], 'once')
  process.emit('SIGCONT')
  t.alike(log(), ['raw true', 'paste on', 'continued'])
  t.is(clock.pending, 0)
})

test('should stop when somebody else stops it, and take the terminal again whoever continues it', (t) => {
  const { process, log } = scene()
  log()
  process.emit('SIGTSTP')
  t.alike(log(), ['paste off', 'raw false', 'SIGTSTP to 4711, 0 listeners'])
  process.emit('SIGCONT')
  t.alike(log(), ['raw true', 'paste on', 'continued'])
  // After SIGSTOP, which nobody is told of.
  process.emit('SIGCONT')
  t.alike(log(), ['raw true', 'paste on', 'continued'])
  process.emit('SIGTSTP')
  t.is(log().length, 3, 'and once more')
})

test('should take the terminal again once when the time of the stop is over before its signal', (t) => {
  const { session, process, clock, log } = scene()
  const timers: (() => void)[] = []
  stub(clock, 'schedule').callsFake((_delayMs, action) => {
    timers.push(action)
    return { cancel: () => void timers.splice(timers.indexOf(action), 1) }
  })
  session.stopJob()
  log()
  // Time went on while the process stood still: what was due is called before signals are received.
  timers.shift()?.()
  process.emit('SIGCONT')
  t.alike(log(), ['raw true', 'paste on', 'continued'])
  t.alike(timers, [])
})

test('should take the terminal again when nothing stopped it', async (t) => {
  const { session, clock, log } = scene()
  session.stopJob()
  log()
  // Without a shell that could continue it the kernel ignores the signal.
  await clock.advance(1_000)
  t.alike(log(), ['raw true', 'paste on', 'continued'])
})

test('should mark no pastes at a terminal that does not know of it', (t) => {
  const { session, log } = scene({ marksPastes: false })
  session.stopJob()
  session.close()
  t.absent(log().some((entry) => entry.startsWith('paste')))
})
