import test from 'brittle'
import {
  effectiveOptions,
  USUAL_SAMPLING,
} from '../../../../helpers/generation/sampling-defaults.js'
import { generationOptionsSchema } from '../../../../helpers/protocol/generation-options.js'

const never = () => {
  throw new Error('no seed was to be drawn')
}

test('should take what the request says first, then what is recommended, then what is usual', (t) => {
  const asked = generationOptionsSchema.parse({ temperature: 0, topK: 0, seed: 0, stop: ['x'] })
  const recommended = { temperature: 0.6, topK: 20, topP: 0.9, repeatPenalty: 1.05 }
  t.alike(effectiveOptions(asked, recommended, never), {
    stop: ['x'],
    logitBias: {},
    temperature: 0,
    topK: 0,
    topP: 0.9,
    minP: USUAL_SAMPLING.minP,
    repeatPenalty: 1.05,
    presencePenalty: 0,
    frequencyPenalty: 0,
    dryMultiplier: 0,
    dryBase: 1.75,
    dryAllowedLength: 2,
    seed: 0,
  })
})

test('should draw a seed when the request has none', (t) => {
  const open = generationOptionsSchema.parse({})
  t.is(effectiveOptions(open, {}, () => 77).seed, 77)
})

test('should leave nothing open, and nothing that could not be asked for', (t) => {
  const effective = effectiveOptions(generationOptionsSchema.parse({}), {}, () => 1)
  t.alike(generationOptionsSchema.parse(effective), effective)
  t.alike(effectiveOptions(effective, { temperature: 0.1, minP: 0.5 }, never), effective)
})
