import test from 'brittle'
import type { GenerateRequest } from '../../../../../facilities/engine/engine.js'
import { ScriptedEngine } from '../../../../../facilities/engine/scripted/scripted-engine.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import type { Token } from '../../../../../helpers/protocol/generation.js'
import { generationOptionsSchema } from '../../../../../helpers/protocol/generation-options.js'

const FOREVER = new AbortController().signal

function request(content: string, maxTokens = 512): GenerateRequest {
  return {
    messages: [{ role: 'user', content }],
    options: generationOptionsSchema.parse({ maxTokens }),
  }
}

async function collect(
  generation: ReturnType<ScriptedEngine['generate']>,
): Promise<{ tokens: Token[]; end: unknown }> {
  const tokens: Token[] = []
  for (;;) {
    const step = await generation.next()
    if (step.done) return { tokens, end: step.value }
    tokens.push(step.value)
  }
}

test('should echo the words of the last message when it has no script', async (t) => {
  const engine = new ScriptedEngine()
  const { tokens, end } = await collect(engine.generate(request('how are  you'), FOREVER))
  t.alike(tokens, [
    { text: 'how', tokenId: 0, index: 0 },
    { text: ' are', tokenId: 1, index: 1 },
    { text: ' you', tokenId: 2, index: 2 },
  ])
  t.alike(end, {
    finishReason: 'stop',
    promptTokens: 3,
    cachedTokens: 0,
    completionTokens: 3,
    timings: { promptMs: 0, generationMs: 0 },
  })
})

test('should end with length when the script has more than maxTokens', async (t) => {
  const engine = new ScriptedEngine({ script: () => ['a', 'b', 'c'] })
  const { tokens, end } = await collect(engine.generate(request('x', 2), FOREVER))
  t.is(tokens.map(({ text }) => text).join(''), 'ab')
  t.alike(Object(end).finishReason, 'length')
  t.is(engine.tokensProduced, 2)
})

test('should end with length when the context is full', async (t) => {
  const engine = new ScriptedEngine({ contextTokens: 4, script: () => ['a', 'b', 'c'] })
  const { end } = await collect(engine.generate(request('one two'), FOREVER))
  t.is(Object(end).completionTokens, 2)
  t.is(Object(end).finishReason, 'length')
})

test('should fail with CONTEXT_TOO_LONG when the prompt leaves no room', async (t) => {
  const engine = new ScriptedEngine({ contextTokens: 2 })
  await t.exception(collect(engine.generate(request('one two'), FOREVER)), {
    code: 'CONTEXT_TOO_LONG',
  })
  t.is(engine.activeGenerations, 0)
})

test('should produce a token only when it is pulled', async (t) => {
  const engine = new ScriptedEngine({ script: () => ['a', 'b', 'c'] })
  const generation = engine.generate(request('x'), FOREVER)
  t.is(engine.startedGenerations, 0)
  await generation.next()
  t.is(engine.tokensProduced, 1)
  t.is(engine.activeGenerations, 1)
  await generation.return({
    finishReason: 'stop',
    promptTokens: 0,
    cachedTokens: 0,
    completionTokens: 0,
    timings: { promptMs: 0, generationMs: 0 },
  })
  t.is(engine.activeGenerations, 0)
})

test('should throw CANCELLED at once when it is cancelled while a token waits', async (t) => {
  const cancel = new AbortController()
  const engine = new ScriptedEngine({ beforeToken: () => new Promise(() => {}) })
  const token = engine.generate(request('a b'), cancel.signal).next()
  cancel.abort()
  await t.exception(token, { code: 'CANCELLED' })
  t.is(engine.activeGenerations, 0)
  t.is(engine.tokensProduced, 0)
})

test('should throw CANCELLED when it is cancelled between two tokens', async (t) => {
  const cancel = new AbortController()
  const engine = new ScriptedEngine()
  const generation = engine.generate(request('a b'), cancel.signal)
  await generation.next()
  cancel.abort()
  await t.exception(generation.next(), { code: 'CANCELLED' })
  t.is(engine.activeGenerations, 0)
})

test('should fail at the configured token', async (t) => {
  const engine = new ScriptedEngine({ failAt: 1 })
  const generation = engine.generate(request('a b'), FOREVER)
  await generation.next()
  await t.exception(generation.next(), { code: 'ENGINE_CRASHED' })

  const other = new ScriptedEngine({ failAt: 0, failWith: new StarlingError('OVERLOADED', 'full') })
  await t.exception(other.generate(request('a'), FOREVER).next(), { code: 'OVERLOADED' })
})

test('should count the generations that run side by side', async (t) => {
  const engine = new ScriptedEngine()
  const generations = [1, 2, 3].map(() => engine.generate(request('a'), FOREVER))
  await Promise.all(generations.map((generation) => generation.next()))
  t.is(engine.activeGenerations, 3)
  await Promise.all(generations.map((generation) => collect(generation)))
  t.is(engine.activeGenerations, 0)
  t.is(engine.mostActiveGenerations, 3)
  t.is(engine.startedGenerations, 3)
})

test('should end running generations and refuse new ones when it is disposed of', async (t) => {
  const engine = new ScriptedEngine({ beforeToken: () => new Promise(() => {}) })
  const token = engine.generate(request('a'), FOREVER).next()
  await engine.dispose()
  await t.exception(token, { code: 'DRAINING' })
  await t.exception(engine.generate(request('a'), FOREVER).next(), { code: 'ENGINE_DISPOSED' })
})

test('should be there for the tests of others by the name of the package', async (t) => {
  t.is((await import('starling/scripted-engine')).ScriptedEngine, ScriptedEngine)
})
