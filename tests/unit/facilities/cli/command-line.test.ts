import test from 'brittle'
import { createCommand, VERSION, wholeNumber } from '../../../../facilities/cli/command-line.js'

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

test('should accept only whole numbers when a flag needs one', async (t) => {
  t.is(wholeNumber('0'), 0)
  t.is(wholeNumber('64'), 64)
  for (const wrong of ['', '-1', '1.5', '1e3', '2 ', 'two']) {
    await t.exception(() => wholeNumber(wrong), /not a whole number/)
  }
})

test('should know its version when it is asked', (t) => {
  t.ok(/^\d+\.\d+\.\d+/.test(VERSION))
})
