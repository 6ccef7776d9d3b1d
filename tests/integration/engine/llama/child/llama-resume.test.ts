import test from 'brittle'
import type { GenerationOptionsInput } from '../../../../../helpers/protocol/generation-options.js'
import { ask, defaultModelPath, loadRuntime } from '../../../../helpers/engine/loaded-runtime.js'

test('should continue as if never interrupted when the vocabulary rounds differently in chunks', async (t) => {
  const runtime = await loadRuntime(t, { contextTokens: 256 })
  t.is(runtime.reproducibility, 'exact', 'by another way: token by token, and in turns')
  for (const options of [{ maxTokens: 60 }, { maxTokens: 60, temperature: 1, seed: 5 }]) {
    const answer = await ask(runtime, 'Once upon a time', options)
    // After the last one, nothing is left to be answered.
    for (const at of [0, 1, 17, 40, 59, 60]) {
      const resumeFrom = answer.ids.slice(0, at)
      const rest = await ask(runtime, 'Once upon a time', options, { resumeFrom })
      t.alike(rest.tokens, answer.tokens.slice(at))
      t.is(rest.end.completionTokens, answer.end.completionTokens)
      t.is(rest.end.finishReason, answer.end.finishReason)
    }
  }
})

test('should refuse a text that is not the beginning of such an answer', async (t) => {
  const runtime = await loadRuntime(t, { modelPath: await defaultModelPath(), slots: 1 })
  const refused = async (resumeFrom: readonly number[], options: GenerationOptionsInput = {}) =>
    await t.exception(ask(runtime, 'Hi', options, { resumeFrom }), { code: 'INVALID_REQUEST' })
  await refused([6_400])
  await refused([2_147_483_648])
  await refused([-1])
  await refused([1.5])
  await refused([Number.NaN])
  await refused([5, 6, 7], { maxTokens: 2 })
  // <|im_end|>
  await refused([2, 5])
  const [stop = 0] = runtime.tokenize('.')
  await refused([stop, stop], { stop: ['.'] })
  await refused(runtime.tokenize('Yes'), { jsonSchema: { type: 'integer' } })
  await t.exception(
    ask(runtime, 'Hi', { maxTokens: 2_000 }, { resumeFrom: Array(1_020).fill(5) }),
    { code: 'CONTEXT_TOO_LONG' },
  )
  t.is((await ask(runtime, 'Hi', { maxTokens: 3 })).ids.length, 3)
})
