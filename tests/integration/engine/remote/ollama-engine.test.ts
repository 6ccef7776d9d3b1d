import test from 'brittle'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { OllamaEngine } from '../../../../facilities/engine/remote/ollama-engine.js'
import { listOllamaModels } from '../../../../facilities/engine/remote/ollama-models.js'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import {
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../../../../helpers/protocol/generation-options.js'
import { ScriptedCalls, ScriptedEmbeddings } from '../../../helpers/engine/scripted-abilities.js'
import { answer, collect } from '../../../helpers/engine/tiny-llama.js'
import { startOllamaServer } from '../../../helpers/upstream/ollama-server.js'
import {
  ALL_OPTIONS,
  alwaysAnswer,
  failureOf,
  OLLAMA,
  remoteScene,
  WEATHER_CALL,
} from '../../../helpers/upstream/remote-engines.js'

const clock = new SystemClock()
const FOREVER = new AbortController().signal
const { tools } = ALL_OPTIONS

test('should list what the server has when it is asked', async (t) => {
  const server = await startOllamaServer(t, {
    'chat:1b': new ScriptedEngine(),
    'minilm:latest': new ScriptedEmbeddings(),
  })
  const models = await listOllamaModels({ host: server.url, clock })
  t.alike(models, [
    {
      name: 'chat:1b',
      sizeBytes: 2_000_000,
      quantization: 'F16',
      parameterSize: '1M',
      families: ['llama'],
      isEmbedding: false,
      isRemote: false,
    },
    {
      name: 'minilm:latest',
      sizeBytes: 2_000_000,
      quantization: 'F16',
      parameterSize: '1M',
      families: ['bert'],
      isEmbedding: true,
      isRemote: false,
    },
  ])
  await server.close()
  const error = await failureOf(listOllamaModels({ host: server.url, clock }))
  t.is(error.code, 'ENGINE_UNREACHABLE')
})

test('should send every option that a request sets', async (t) => {
  const below = new ScriptedCalls([WEATHER_CALL])
  const { server, engine } = await remoteScene(t, OLLAMA, { below })
  const options = generationOptionsSchema.parse(ALL_OPTIONS)
  const messages = [
    { role: 'system' as const, content: 'Be brief.' },
    { role: 'user' as const, content: 'How is the weather?' },
    { role: 'assistant' as const, content: '', toolCalls: [WEATHER_CALL] },
    { role: 'tool' as const, content: 'sunny', toolCallId: 'call_1' },
  ]
  await collect(engine.generate({ messages, options }, FOREVER))
  t.alike(server.requests.at(-1)?.body, {
    model: 'words',
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'How is the weather?' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ function: { name: 'weather', arguments: { city: 'Paris', days: 2 } } }],
      },
      { role: 'tool', content: 'sunny', tool_name: 'weather' },
    ],
    stream: true,
    truncate: false,
    format: { type: 'object' },
    tools,
    options: {
      num_ctx: 4096,
      num_predict: 9,
      temperature: 0.5,
      top_k: 40,
      top_p: 0.9,
      min_p: 0.05,
      repeat_last_n: 64,
      repeat_penalty: 1.2,
      presence_penalty: 0.1,
      frequency_penalty: -0.1,
      seed: 77,
      stop: ['END'],
    },
  })
  t.alike(below.requests.at(-1)?.options, options, 'and the server understands the same')
})

test('should leave options to the server when a request does not set them', async (t) => {
  const { server, engine } = await remoteScene(t, OLLAMA)
  const messages = [{ role: 'user' as const, content: 'one' }]
  const sent = async (given: GenerationOptionsInput) => {
    const options = generationOptionsSchema.parse(given)
    await collect(engine.generate({ messages, options }, FOREVER))
    return Object(server.requests.at(-1)?.body).options
  }
  t.alike(await sent({}), { num_ctx: 4096, num_predict: 512 })
  t.alike(await sent({ seed: 0, temperature: 0, presencePenalty: 0 }), {
    num_ctx: 4096,
    num_predict: 512,
    temperature: 0,
    repeat_last_n: 64,
    presence_penalty: 0,
    seed: 0,
  })
})

test('should end with the functions that the model asks for', async (t) => {
  const { engine } = await remoteScene(t, OLLAMA, {
    below: new ScriptedCalls([WEATHER_CALL, WEATHER_CALL]),
  })
  const { end } = await answer(engine, 'the weather', { tools })
  t.is(end.finishReason, 'tool_calls')
  t.alike(end.toolCalls, [
    { ...WEATHER_CALL, id: 'call_1_0' },
    { ...WEATHER_CALL, id: 'call_1_1' },
  ])
})

test('should refuse results of calls that were never made', async (t) => {
  const { engine } = await remoteScene(t, OLLAMA)
  const options = generationOptionsSchema.parse({})
  const result = { role: 'tool' as const, content: 'x', toolCallId: 'call_1' }
  const called = {
    role: 'assistant' as const,
    content: '',
    toolCalls: [{ ...WEATHER_CALL, function: { name: 'weather', arguments: '[1]' } }],
  }
  for (const messages of [[result], [called]]) {
    const error = await failureOf(engine.generate({ messages, options }, FOREVER).next())
    t.is(error.code, 'INVALID_REQUEST')
  }
})

test('should separate thoughts from the answer, and pass on the token counts', async (t) => {
  const { server, engine } = await remoteScene(t, OLLAMA)
  const line = (fields: object) => `${JSON.stringify({ created_at: 'x', model: 'y', ...fields })}\n`
  alwaysAnswer(
    OLLAMA,
    server,
    line({ message: { role: 'assistant', content: '', thinking: 'Hm.' }, done: false }),
    line({ message: { role: 'assistant', content: 'Yes' }, done: false }),
    line({
      message: { role: 'assistant', content: '' },
      done: true,
      done_reason: 'length',
      prompt_eval_count: 12,
      prompt_eval_duration: 3_000_000,
      eval_count: 5,
      eval_duration: 40_000_000,
    }),
  )
  const { tokens, end } = await answer(engine, 'Is it?')
  t.alike(tokens, [
    { kind: 'thought', text: 'Hm.', tokenId: null, index: 0 },
    { text: 'Yes', tokenId: null, index: 1 },
  ])
  t.alike(end, {
    finishReason: 'length',
    promptTokens: 12,
    cachedTokens: 0,
    completionTokens: 5,
    thoughtTokens: 1,
    timings: { promptMs: 3, generationMs: 40 },
  })
})

test('should use no more context than it is allowed or the model has', async (t) => {
  const sha256 = 'ab'.repeat(32)
  class Hashed extends ScriptedEngine {
    override info() {
      return { ...super.info(), modelSha256: sha256 }
    }
  }
  const { server, engine } = await remoteScene(t, OLLAMA, {
    below: new Hashed({ contextTokens: 300 }),
  })
  t.is(engine.info().contextTokens, 300)
  t.is(engine.info().modelSha256, sha256)
  const small = new OllamaEngine({
    model: 'words',
    name: 'other',
    host: server.url,
    contextTokens: 100,
    slots: 2,
    clock,
  })
  t.teardown(async () => await small.dispose())
  await small.load()
  const { contextTokens, model, slots } = small.info()
  t.alike({ contextTokens, model, slots }, { contextTokens: 100, model: 'other', slots: 2 })
})
