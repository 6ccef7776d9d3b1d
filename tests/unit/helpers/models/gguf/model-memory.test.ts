import { readFileSync } from 'node:fs'
import test from 'brittle'
import type { GgufModelFacts } from '../../../../../helpers/models/gguf/gguf-model-facts.js'
import { estimateModelMemoryBytes } from '../../../../../helpers/models/gguf/model-memory.js'
import { TINY_MODEL_PATH } from '../../../../helpers/engine/tiny-llama.js'
import { factsOf } from '../../../../helpers/gguf/gguf-scene.js'
import { syntheticGguf } from '../../../../helpers/gguf/synthetic-gguf.js'

const LLAMA = factsOf(syntheticGguf('llama'))

/** Of the size of Llama 3.1 8B. */
const EIGHT: GgufModelFacts = {
  ...LLAMA,
  contextTokens: 131_072,
  layers: 32,
  embeddingLength: 4096,
  feedForwardLength: 14_336,
  headCount: 32,
  headCountKv: 8,
  keyLength: 128,
  valueLength: 128,
  vocabularyTokens: 128_256,
}

const GIGABYTE = 1e9
const EIGHT_FILE = { fileSizeBytes: 4.92 * GIGABYTE, slots: 1, contextTokens: 8192 }

test('should add file, cache, tables and process when a model is estimated', (t) => {
  const one = estimateModelMemoryBytes(EIGHT, EIGHT_FILE)
  // 32 layers x 8 heads x (128 + 128) numbers x 2 bytes: 131,072 a token.
  const cache = 8192 * 131_072
  t.ok(one > 4.92 * GIGABYTE + cache, `${one}`)
  t.ok(one < 4.92 * GIGABYTE + cache + 0.5 * GIGABYTE, `${one}`)
})

test('should grow with slots and context, up to the context of the training', (t) => {
  const of = (slots: number, contextTokens: number, facts = EIGHT) =>
    estimateModelMemoryBytes(facts, { fileSizeBytes: 4.92 * GIGABYTE, slots, contextTokens })
  const perContext = 8192 * 131_072
  t.ok(of(2, 8192) - of(1, 8192) >= perContext)
  t.ok(of(1, 16_384) - of(1, 8192) >= perContext)
  t.is(of(1, 1e9), of(1, 131_072))
  t.is(of(1, 100), of(1, 256), 'contexts go up in steps')
  t.is(of(1, 8192, LLAMA), of(1, 256, LLAMA), 'a model of 64 tokens has one step')
})

test('should count what an option says when it is given', (t) => {
  const halved = estimateModelMemoryBytes(EIGHT, { ...EIGHT_FILE, kvBytesPerElement: 1 })
  t.is(estimateModelMemoryBytes(EIGHT, EIGHT_FILE) - halved, (8192 * 131_072) / 2)
  const batch = (batchTokens: number) =>
    estimateModelMemoryBytes(EIGHT, { ...EIGHT_FILE, batchTokens })
  t.is(batch(64), estimateModelMemoryBytes(EIGHT, EIGHT_FILE))
  t.ok(batch(512) > batch(64))
})

test('should count each layer for itself when they differ', (t) => {
  const kv = (headCountKv: GgufModelFacts['headCountKv']) =>
    estimateModelMemoryBytes({ ...EIGHT, layers: 2, headCountKv }, EIGHT_FILE)
  t.is(kv([8, 8]), kv(8))
  t.is(kv([8, 4]) * 2, kv(8) + kv(4))
  t.ok(kv([8, 0]) < kv([8, 4]))
  t.ok(kv([8, 0]) > kv([8, 0]) - 1)
  t.ok(kv(0) > estimateModelMemoryBytes({ ...EIGHT, layers: 0, headCountKv: 0 }, EIGHT_FILE))
})

test('should keep nothing of a text when the model makes embeddings of whole texts', (t) => {
  const bert = factsOf(syntheticGguf('bert'))
  const of = (slots: number) =>
    estimateModelMemoryBytes(bert, {
      fileSizeBytes: 1e6,
      slots,
      contextTokens: 64,
      batchTokens: 64,
    })
  t.is(of(2) - of(1), bert.vocabularyTokens * 64)
})

test('should say some 200 MB when the model is the smallest there is', (t) => {
  const file = readFileSync(TINY_MODEL_PATH)
  const bytes = estimateModelMemoryBytes(factsOf(file), {
    fileSizeBytes: file.length,
    slots: 4,
    contextTokens: 256,
  })
  t.ok(bytes > 200e6 && bytes < 220e6, `${bytes}`)
})
