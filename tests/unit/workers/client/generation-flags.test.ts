import test from 'brittle'
import { createCommand } from '../../../../facilities/cli/command-line.js'
import {
  generationOptions,
  withGenerationFlags,
} from '../../../../workers/client/generation-flags.js'
import { rejectionOf } from '../../../helpers/until.js'

test('should give the options that flags set, and none when they set none', (t) => {
  t.is(generationOptions({}), undefined)
  t.is(generationOptions({ system: 'Be brief.' }), undefined)
  t.alike(generationOptions({ maxTokens: '20' }), { maxTokens: 20 })
  t.alike(generationOptions({ temperature: '0.7', seed: '42' }), { temperature: 0.7, seed: 42 })
})

test('should name the flag when its value is none that the protocol allows', async (t) => {
  for (const [flags, name] of [
    [{ maxTokens: '0' }, '--max-tokens 0: '],
    [{ maxTokens: '99999999' }, '--max-tokens 99999999: '],
    [{ maxTokens: 'many' }, '--max-tokens many: it is not a number'],
    [{ temperature: '2.1' }, '--temperature 2.1: '],
    [{ temperature: '-1' }, '--temperature -1: '],
    [{ seed: '1.5', maxTokens: '5' }, '--seed 1.5: '],
    [{ seed: '' }, '--seed : '],
    [{ seed: '0x10' }, '--seed 0x10: it is not a number'],
  ] as const) {
    try {
      generationOptions(flags)
      t.fail(`${name} was taken`)
    } catch (error) {
      t.is(Object(error).code, 'BAD_USAGE')
      t.ok(Object(error).message.startsWith(name), Object(error).message)
    }
  }
})

test('should refuse a wrong value before the command runs', async (t) => {
  let runs = 0
  const command = withGenerationFlags(createCommand('ask', 'Asks.')).action(() => {
    runs += 1
  })
  const refused = rejectionOf(command.parseAsync(['--seed', 'x'], { from: 'user' }))
  t.is(Object(await refused).code, 'BAD_USAGE')
  t.is(runs, 0)
})
