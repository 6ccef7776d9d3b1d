import { EventEmitter } from 'node:events'
import test from 'brittle'
import sinon from 'sinon'
import { ProcessLife } from '../../../../facilities/process/process-life.js'
import { settle } from '../../../helpers/until.js'

/** A process that a test sends signals to, and the exit code that it is to close with. */
function scene(parent: 'none' | 'there' | 'gone' = 'none') {
  const exit = sinon.stub()
  const events = new EventEmitter()
  const standIn = Object.assign(Object.create(process), {
    exit,
    on: events.on.bind(events),
    once: events.once.bind(events),
    send: parent === 'none' ? undefined : () => true,
    connected: parent === 'there',
  })
  const life = new ProcessLife(standIn)
  let exitCode: number | undefined
  void life.ended.then((code) => {
    exitCode = code
  })
  const signal = async (name: string) => {
    events.emit(name)
    await settle()
    return exitCode
  }
  return { life, exit, signal, exitCode: () => exitCode }
}

test('should close with code 0 at the first signal and exit with code 1 at the second', async (t) => {
  for (const name of ['SIGTERM', 'SIGINT']) {
    const { signal, exit } = scene()
    t.is(await signal(name), 0)
    t.is(exit.callCount, 0, 'it may close')
    await signal(name)
    t.alike(exit.args, [[1]])
  }
})

test('should leave Ctrl-C to a child process until it closes', async (t) => {
  const { life, signal, exit } = scene()
  life.leaveInterrupts()
  t.is(await signal('SIGINT'), undefined)
  t.is(await signal('SIGTERM'), 0)
  await signal('SIGINT')
  t.alike(exit.args, [[1]])
})

test('should close when its parent process has ended', async (t) => {
  const { signal, exit, exitCode } = scene('there')
  t.is(exitCode(), undefined)
  t.is(await signal('disconnect'), 0)
  t.is(exit.callCount, 0)
})

test('should close at once when its parent process ended before it listened', async (t) => {
  const { exitCode } = scene('gone')
  await settle()
  t.is(exitCode(), 0)
})

test('should end with its own exit code, and at once at a signal after that', async (t) => {
  const { life, signal, exit, exitCode } = scene()
  life.end(3)
  await settle()
  t.is(exitCode(), 3)
  t.is(await signal('SIGTERM'), 3)
  t.alike(exit.args, [[1]])
})
