import test from 'brittle'
import { ask, loadRuntime } from '../../../../helpers/engine/loaded-runtime.js'
import { thinkingModel } from '../../../../helpers/engine/thinking-model.js'

const PROMPT = 'Once upon a time there was a little dog'
const SCHEMA = { type: 'object', properties: { big: { type: 'boolean' } }, required: ['big'] }

test('should know the marks of a thought when they are special tokens', async (t) => {
  const modelPath = await thinkingModel({ special: true })
  const runtime = await loadRuntime(t, { modelPath, contextTokens: 200, slots: 1 })
  const { tokens, end, text } = await ask(runtime, PROMPT, { maxTokens: 60 })
  const { thoughtTokens = 0 } = end
  t.ok(thoughtTokens > 10 && thoughtTokens < 60, `${thoughtTokens}`)
  t.ok(tokens.every(({ kind }, index) => (kind === 'thought') === index < thoughtTokens))
  t.absent(text.includes('think>'))
  const known = runtime.applyTemplate([
    { role: 'user', content: 'one' },
    { role: 'assistant', content: 'two', reasoning: 'hidden' },
    { role: 'user', content: 'three' },
    { role: 'assistant', content: 'four', reasoning: '\nshown\n' },
  ])
  t.is(known.text, 'onetwothree<think>shown</think>four<think>')
})

test('should begin the grammar after the thought when thinking cannot be turned off', async (t) => {
  const modelPath = await thinkingModel({ always: true })
  const runtime = await loadRuntime(t, { modelPath, contextTokens: 200, slots: 1 })
  const { tokens, end } = await ask(runtime, PROMPT, { maxTokens: 60, jsonSchema: SCHEMA })
  const answer = tokens.filter(({ kind }) => kind === undefined).map(({ text }) => text)
  t.is(typeof JSON.parse(answer.join('')).big, 'boolean')
  t.ok((end.thoughtTokens ?? 0) > 10)
  t.is(end.finishReason, 'stop')
  await t.exception(ask(runtime, PROMPT, { thinking: false }), { code: 'NOT_SUPPORTED' })
})
