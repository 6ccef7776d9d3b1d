import test from 'brittle'
import { tryTemplate } from '../../../../../../../facilities/engine/llama/child/model/template-trial.js'
import { TimeLimitPassed } from '../../../../../../../facilities/engine/llama/child/model/time-limit.js'
import { StarlingError } from '../../../../../../../helpers/errors/starling-error.js'
import { codeThrownBy } from '../../../../../../helpers/property.js'

test('should try conversations with a system message, many turns and functions', (t) => {
  const tried: string[] = []
  tryTemplate((messages, tools) => {
    tried.push(`${messages.map(({ role }) => role.charAt(0)).join('')}${tools.length}`)
  }, true)
  t.alike(tried, ['u0', 'su0', 'uauau0', `s${'ua'.repeat(20)}u0`, 'su1', 'uat1'])
})

test('should try no functions when the template knows of none', (t) => {
  tryTemplate((_messages, tools) => t.is(tools.length, 0), false)
})

test('should take a template that refuses conversations, and none that does not end', (t) => {
  const refused = (cause: unknown) => () => {
    throw new StarlingError('INVALID_REQUEST', 'refused', { cause })
  }
  tryTemplate(refused(new Error('roles must alternate')), true)
  t.is(
    codeThrownBy(() => tryTemplate(refused(new TimeLimitPassed(5)), true)),
    'MODEL_INVALID',
  )
})
