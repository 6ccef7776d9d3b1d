import { resolve } from 'node:path'
import test from 'brittle'
import {
  configOf,
  createCommand,
  createWorkerCommand,
  VERSION,
  wholeNumber,
} from '../../../config/command-line.js'

test('should take the flags that every command has when they are given', (t) => {
  const command = createCommand('worker', 'Works.')
  command.parse(['--home', 'here', '--log-level', 'error', '--json'], { from: 'user' })
  const config = configOf(command, { processor: { slots: 2 } })
  t.is(config.home, resolve('here'))
  t.is(config.logLevel, 'error')
  t.is(config.json, true)
  t.is(config.processor.slots, 2)
})

test('should serve metrics on the port that a worker is given, and nowhere else', async (t) => {
  const worker = createWorkerCommand('worker', 'Works.')
  worker.parse(['--metrics-port', '9464'], { from: 'user' })
  t.alike(configOf(worker).metrics, { port: 9464, host: '127.0.0.1' })
  const without = createWorkerCommand('worker', 'Works.')
  without.parse([], { from: 'user' })
  t.is(configOf(without).metrics.port, 0)
  const beyond = createWorkerCommand('worker', 'Works.')
  beyond.parse(['--metrics-port', '65536'], { from: 'user' })
  await t.exception(() => configOf(beyond), { code: 'CONFIG_INVALID' })
})

test('should take a flag of its parent when a command stands below another', (t) => {
  const parent = createCommand('client', 'Talks.')
  const child = createCommand('ask', 'Asks.').action(() => undefined)
  parent.addCommand(child)
  parent.parse(['--home', 'here', 'ask', '--json'], { from: 'user' })
  t.is(configOf(child).home, resolve('here'))
  t.is(configOf(child).json, true)
})

test('should refuse a flag when it is not known', async (t) => {
  const command = createCommand('worker', 'Works.').configureOutput({ writeErr: () => undefined })
  await t.exception(() => command.parse(['--nope'], { from: 'user' }), /unknown option '--nope'/)
})

test('should take as many words as a command has room for, and no more', async (t) => {
  const said: unknown[] = []
  const command = (argument: string) =>
    createCommand('ask', 'Asks.')
      .configureOutput({ writeErr: () => undefined })
      .argument(argument)
      .action((text) => void said.push(text))
  command('[text...]').parse(['hi', 'there', '-'], { from: 'user' })
  command('<text>').parse(['hi'], { from: 'user' })
  t.alike(said, [['hi', 'there', '-'], 'hi'])
  await t.exception(
    () => command('<text>').parse(['hi', 'there'], { from: 'user' }),
    /unknown command or argument: there/,
  )
})

test('should read whole numbers alone when a flag needs one', async (t) => {
  t.is(wholeNumber('0'), 0)
  t.is(wholeNumber('64'), 64)
  for (const wrong of ['', '-1', '1.5', '1e3', '2 ', 'two']) {
    await t.exception(() => wholeNumber(wrong), /not a whole number/)
  }
})

test('should know its version when it is asked', (t) => {
  t.ok(/^\d+\.\d+\.\d+/.test(VERSION))
})
