import test from 'brittle'
import { SystemRandom } from '../../../../../facilities/clock/random.js'
import { ModelCache } from '../../../../../facilities/models/cache/model-cache.js'
import { DEFAULT_EMBEDDING_MODEL_NAME } from '../../../../../facilities/models/sources/catalog.js'
import { ask, loadRuntime } from '../../../../helpers/engine/loaded-runtime.js'
import { SHARED_MODELS_DIRECTORY } from '../../../../helpers/engine/tiny-llama.js'

const FOREVER = new AbortController().signal

async function embeddingModelPath(): Promise<string> {
  const cache = new ModelCache({ directory: SHARED_MODELS_DIRECTORY, random: new SystemRandom() })
  return (await cache.prepare(DEFAULT_EMBEDDING_MODEL_NAME)).path
}

function product(one: Float32Array = new Float32Array(), other: Float32Array = new Float32Array()) {
  return one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0)
}

test('should give texts of similar meaning similar vectors of length one', async (t) => {
  const runtime = await loadRuntime(t, { modelPath: await embeddingModelPath() })
  t.alike([...runtime.capabilities].sort(), ['embed', 'tokens'])
  const texts = [
    'A cat sits on the mat.',
    'A kitten is lying on a rug.',
    'Interest rates rose again.',
  ]
  const vectors = await runtime.embed(texts, FOREVER)
  const [cat, kitten, rates] = vectors
  for (const vector of vectors) t.ok(Math.abs(product(vector, vector) - 1) < 1e-5)
  t.ok(product(cat, kitten) > product(cat, rates) + 0.3)
  // One by one and in another order, they are the same.
  const [again] = await runtime.embed([texts[1] ?? ''], FOREVER)
  t.alike(again, kitten)
  t.alike((await runtime.embed([...texts].reverse(), FOREVER)).reverse(), vectors)
  t.alike(await runtime.embed([], FOREVER), [])
})

test('should refuse empty texts, texts that are too long, and requests that it does not support', async (t) => {
  const runtime = await loadRuntime(t, { modelPath: await embeddingModelPath(), contextTokens: 64 })
  await t.exception(runtime.embed(['a', ''], FOREVER), { code: 'INVALID_REQUEST' })
  await t.exception(runtime.embed(['word '.repeat(100)], FOREVER), { code: 'CONTEXT_TOO_LONG' })
  await t.exception(runtime.embed(['x'.repeat(2 ** 20 + 1)], FOREVER), {
    code: 'PAYLOAD_TOO_LARGE',
  })
  await t.exception(ask(runtime, 'Hello'), { code: 'NOT_SUPPORTED' })
  await t.exception(async () => runtime.applyTemplate([{ role: 'user', content: 'x' }]), {
    code: 'NOT_SUPPORTED',
  })
  t.is((await runtime.embed(['word '.repeat(50)], FOREVER)).length, 1)
})

test('should stop between texts when it is cancelled, and end with DRAINING when it is closed', async (t) => {
  const runtime = await loadRuntime(t, { modelPath: await embeddingModelPath() })
  const cancel = new AbortController()
  const texts = Array.from({ length: 200 }, (_, index) => `sentence number ${index}`)
  const embedding = runtime.embed(texts, cancel.signal)
  cancel.abort(new Error('enough'))
  await t.exception(embedding, /enough/)
  const closed = runtime.embed(texts, FOREVER)
  await Promise.all([runtime.close(), t.exception(closed, { code: 'DRAINING' })])
})

test('should measure with how many threads it embeds', async (t) => {
  const runtime = await loadRuntime(t, { modelPath: await embeddingModelPath(), threads: 'auto' })
  t.ok(runtime.threads >= 1)
  t.is((await runtime.embed(['x'], FOREVER))[0]?.length, 384)
})
