import test from 'brittle'
import { checkRequest } from '../../../../facilities/engine/check-request.js'
import type { EngineCapability } from '../../../../facilities/engine/engine.js'
import { generationOptionsSchema } from '../../../../helpers/protocol/generation-options.js'
import { codeThrownBy } from '../../../helpers/property.js'

const messages = [{ role: 'user' as const, content: 'x' }]
const engine = (...capabilities: EngineCapability[]) => ({
  kind: 'test',
  capabilities: new Set<EngineCapability>(['chat', ...capabilities]),
})

test('should pass what every engine can do', (t) => {
  const options = generationOptionsSchema.parse({ stop: ['a'], temperature: 1, seed: 3 })
  t.alike(checkRequest({ messages, options }, engine()), { messages, options })
})

test('should refuse what the engine cannot do, and pass it when it can', (t) => {
  const tool = { type: 'function' as const, function: { name: 'look' } }
  const asks: [EngineCapability, object, number[]?][] = [
    ['resume', {}, [1]],
    ['logit-bias', { logitBias: { 3: -100 } }],
    ['logprobs', { logprobs: 0 }],
    ['dry', { dryMultiplier: 0.8 }],
    ['thinking', { thinking: true }],
    ['json-schema', { jsonSchema: { type: 'object' } }],
    ['tools', { tools: [tool] }],
  ]
  for (const [capability, given, resumeFrom] of asks) {
    const request = { messages, options: generationOptionsSchema.parse(given), resumeFrom }
    t.is(
      codeThrownBy(() => checkRequest(request, engine())),
      'NOT_SUPPORTED',
      capability,
    )
    t.ok(checkRequest(request, engine(capability)), capability)
  }
  const embedding = { kind: 'test', capabilities: new Set<EngineCapability>(['embed']) }
  const plain = { messages, options: generationOptionsSchema.parse({}) }
  t.is(
    codeThrownBy(() => checkRequest(plain, embedding)),
    'NOT_SUPPORTED',
  )
})

test('should refuse requests beyond the limits before an engine sees them', (t) => {
  const good = generationOptionsSchema.parse({})
  const wrong: object[] = [
    { temperature: Number.NaN },
    { temperature: null },
    { maxTokens: 2 ** 53 },
    { maxTokens: -1 },
    { seed: 1.5 },
    { topK: Number.POSITIVE_INFINITY },
    { stop: [''] },
    { stop: 'a' },
    { logitBias: { x: 1 } },
    { logitBias: { 1: Number.NaN } },
    { jsonSchema: [] },
    { tools: [{ type: 'function', function: { name: 'no spaces' } }] },
    { unknown: 1 },
  ]
  for (const changes of wrong) {
    const options = { ...good, ...changes } as typeof good
    t.is(
      codeThrownBy(() => checkRequest({ messages, options }, engine())),
      'INVALID_REQUEST',
      JSON.stringify(changes),
    )
  }
  for (const resumeFrom of [[-1], [1.5], [2 ** 40], [Number.NaN]]) {
    t.is(
      codeThrownBy(() => checkRequest({ messages, options: good, resumeFrom }, engine('resume'))),
      'INVALID_REQUEST',
    )
  }
  t.is(
    codeThrownBy(() => checkRequest({ messages: [], options: good }, engine())),
    'INVALID_REQUEST',
  )
})
