import test from 'brittle'
import type { LlamaGrammar } from 'node-llama-cpp'
import { GrammarCache } from '../../../../../../../facilities/engine/llama/child/generation/grammar-cache.js'

function scene() {
  const made: number[] = []
  const cache = new GrammarCache({
    createGrammar: async ({ grammar }) => {
      made.push(grammar.length)
      const native: LlamaGrammar = Object.create(null)
      return native
    },
  })
  return { cache, made }
}

/** A schema of which the grammar is four times as long. */
const schemaOf = (name: number, length: number) => ({ const: `${name}${'\\'.repeat(length)}` })

test('should make a grammar once when the same schema is asked for again', async (t) => {
  const { cache, made } = scene()
  const first = await cache.grammarOf(schemaOf(1, 10))
  t.is(await cache.grammarOf(schemaOf(1, 10)), first)
  t.is(made.length, 1)
})

test('should keep the 16 grammars that were used last', async (t) => {
  const { cache, made } = scene()
  for (let name = 0; name < 16; name++) await cache.grammarOf(schemaOf(name, 10))
  await cache.grammarOf(schemaOf(0, 10))
  await cache.grammarOf(schemaOf(16, 10))
  t.is(made.length, 17)
  await cache.grammarOf(schemaOf(0, 10))
  t.is(made.length, 17, 'it was used')
  await cache.grammarOf(schemaOf(1, 10))
  t.is(made.length, 18)
})

test('should keep no more grammars than 1 MiB of text when they are long', async (t) => {
  const { cache, made } = scene()
  for (let name = 0; name < 12; name++) await cache.grammarOf(schemaOf(name, 25_000))
  t.ok((made[0] ?? 0) > 100_000)
  await cache.grammarOf(schemaOf(0, 25_000))
  t.is(made.length, 13, 'the first had to make room')
  await cache.grammarOf(schemaOf(11, 25_000))
  t.is(made.length, 13)
})

test('should fail with GRAMMAR_INVALID when llama.cpp does not take the grammar', async (t) => {
  const cache = new GrammarCache({
    createGrammar: async () => {
      throw new Error('Failed to parse grammar')
    },
  })
  await t.exception(cache.grammarOf({ type: 'null' }), { code: 'GRAMMAR_INVALID' })
})
