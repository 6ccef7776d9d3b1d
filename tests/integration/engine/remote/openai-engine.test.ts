import test, { type Test } from 'brittle'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import {
  OpenaiEngine,
  type OpenaiEngineOptions,
} from '../../../../facilities/engine/remote/openai-engine.js'
import { listOpenaiModels } from '../../../../facilities/engine/remote/openai-models.js'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { toWireError } from '../../../../helpers/errors/wire-error.js'
import { generationOptionsSchema } from '../../../../helpers/protocol/generation-options.js'
import { ScriptedCalls, ScriptedEmbeddings } from '../../../helpers/engine/scripted-abilities.js'
import { answer, collect, generate } from '../../../helpers/engine/tiny-llama.js'
import { startOpenaiServer } from '../../../helpers/upstream/openai-server.js'
import {
  ALL_OPTIONS,
  alwaysAnswer,
  failureOf,
  OPENAI,
  remoteScene,
  WEATHER_CALL,
} from '../../../helpers/upstream/remote-engines.js'
import type { StandInServer } from '../../../helpers/upstream/stand-in-server.js'

const clock = new SystemClock()
const FOREVER = new AbortController().signal
const KEY = 'sk-very-secret-0123456789'
const { tools } = ALL_OPTIONS

function engineOf(
  t: Test,
  { url }: StandInServer,
  options: Partial<OpenaiEngineOptions> = {},
): OpenaiEngine {
  const engine = new OpenaiEngine({ model: 'words', baseUrl: url, clock, ...options })
  t.teardown(async () => await engine.dispose())
  return engine
}

test('should send its key to the server and reveal it nowhere else', async (t) => {
  const server = await startOpenaiServer(t, { words: new ScriptedEngine() }, KEY)
  const engine = engineOf(t, server, { key: KEY })
  t.is((await answer(engine, 'one two')).text, 'one two')
  t.ok(server.requests.every(({ headers }) => headers.authorization === `Bearer ${KEY}`))
  t.absent(JSON.stringify(engine).includes(KEY))

  server.misbehaviour = (_, response) => {
    const error = { message: `the key ${KEY} is not good for this` }
    response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error }))
  }
  const refused = await failureOf(answer(engine, 'one'))
  t.is(refused.code, 'INVALID_REQUEST')
  t.absent(`${refused.message} ${refused.cause}`.includes(KEY), refused.message)
})

test('should tell the operator, and no peer the key, when it is refused', async (t) => {
  const server = await startOpenaiServer(t, { words: new ScriptedEngine() }, KEY)
  const engine = engineOf(t, server, { key: 'sk-wrong-key' })
  const error = await failureOf(engine.load())
  t.is(error.code, 'CONFIG_INVALID')
  t.ok(error.message.includes('401') && error.message.includes(server.url), error.message)
  t.absent(JSON.stringify(toWireError(error)).includes('sk-wrong-key'))
  t.absent(String(error.cause).includes('sk-wrong-key'))
})

test('should be refused by its constructor when the address or the key cannot be used', async (t) => {
  const create = (options: Partial<OpenaiEngineOptions>) => async () =>
    new OpenaiEngine({ model: 'words', baseUrl: 'http://127.0.0.1:1', clock, ...options })
  for (const wrong of [
    { key: '' },
    { key: 'two\r\nlines: x' },
    { key: 'x', baseUrl: 'http://ada:hunter2@127.0.0.1' },
    { baseUrl: 'ftp://127.0.0.1' },
    { baseUrl: 'http://ada:hunter2@' },
    { baseUrl: 'http://127.0.0.1/v1?key=x' },
  ]) {
    const error = await failureOf(create(wrong)())
    t.is(error.code, 'CONFIG_INVALID')
    t.absent(/hunter2|lines/.test(error.message), error.message)
  }
})

test('should use the path of its address when it has one', async (t) => {
  const server = await startOpenaiServer(t, { words: new ScriptedEngine() })
  for (const baseUrl of [server.url, `${server.url}/`, `${server.url}/v1`, `${server.url}/v1/`]) {
    await engineOf(t, server, { baseUrl }).load()
    t.is(server.requests.at(-1)?.path, '/v1/models')
  }
})

test('should list what the server has when it is asked', async (t) => {
  const server = await startOpenaiServer(
    t,
    {
      words: new ScriptedEngine({ contextTokens: 512 }),
      'text-embed-small': new ScriptedEmbeddings(),
    },
    KEY,
  )
  t.alike(await listOpenaiModels({ baseUrl: server.url, key: KEY, clock }), [
    { name: 'words', contextTokens: 512, isEmbedding: false },
    { name: 'text-embed-small', contextTokens: 4096, isEmbedding: true },
  ])
})

test('should send the options of a request, and leave the rest to the server', async (t) => {
  const below = new ScriptedCalls([WEATHER_CALL])
  const { server, engine } = await remoteScene(t, OPENAI, { below })
  const open = generationOptionsSchema.parse({})
  const question = [{ role: 'user' as const, content: 'one' }]
  await collect(engine.generate({ messages: question, options: open }, FOREVER))
  t.alike(server.requests.at(-1)?.body, {
    model: 'words',
    messages: question,
    stream: true,
    stream_options: { include_usage: true },
  })

  const options = generationOptionsSchema.parse({
    ...ALL_OPTIONS,
    logitBias: { '5': -100 },
    logprobs: 2,
  })
  const messages = [
    { role: 'user' as const, content: 'How is the weather?' },
    { role: 'assistant' as const, content: '', toolCalls: [WEATHER_CALL] },
    { role: 'tool' as const, content: 'sunny', toolCallId: 'call_1' },
  ]
  await collect(engine.generate({ messages, options }, FOREVER))
  t.alike(below.requests.at(-1), { messages, options }, 'the server understands the same')
  t.alike(Object(server.requests.at(-1)?.body).response_format, {
    type: 'json_schema',
    json_schema: { name: 'answer', strict: true, schema: { type: 'object' } },
  })
})

test('should assemble the function calls of the model from their parts', async (t) => {
  const other = { ...WEATHER_CALL, id: 'call_2' }
  const below = new ScriptedCalls([WEATHER_CALL, other])
  const { engine } = await remoteScene(t, OPENAI, { below })
  const { end } = await answer(engine, 'the weather', { tools })
  t.is(end.finishReason, 'tool_calls')
  t.alike(end.toolCalls, [WEATHER_CALL, other])
})

test('should learn from the end of one request what the next one costs', async (t) => {
  const { server, engine } = await remoteScene(t, OPENAI)
  const event = (fields: object) => `data: ${JSON.stringify(fields)}\r\n\r\n`
  const usage = {
    prompt_tokens: 12,
    completion_tokens: 5,
    prompt_tokens_details: { cached_tokens: 8 },
  }
  alwaysAnswer(
    OPENAI,
    server,
    ': a comment\r\n\r\n',
    event({ choices: [{ delta: { role: 'assistant', reasoning_content: 'Hm.' } }] }),
    event({ choices: [{ delta: { content: 'Yes' } }] }),
    event({ choices: [{ delta: { content: null }, finish_reason: 'length' }], usage: null }),
    // No end mark, as some servers have it.
    event({ choices: [], usage }),
  )
  const { tokens, end } = await answer(engine, 'Is it?')
  t.alike(
    tokens.map(({ kind: said, text }) => [said, text]),
    [
      ['thought', 'Hm.'],
      [undefined, 'Yes'],
    ],
  )
  t.is(end.thoughtTokens, 1)
  const { finishReason, promptTokens, cachedTokens, completionTokens } = end
  t.alike(
    { finishReason, promptTokens, cachedTokens, completionTokens },
    { finishReason: 'length', promptTokens: 12, cachedTokens: 8, completionTokens: 5 },
  )
  t.ok(end.timings.promptMs > 0)
})

test('should cut an answer whose length the request leaves open, not counting the thought', async (t) => {
  const script = ['<think>', ...Array(600).fill(' hm'), '</think>', ...Array(600).fill(' yes')]
  const below = new ScriptedEngine({ thinks: true, script: () => script })
  const { engine } = await remoteScene(t, OPENAI, { below })
  // The server itself does not limit it.
  const { tokens, end } = await answer(engine, 'Is it?', { allowRepetition: true })
  t.is(tokens.filter(({ kind }) => kind === undefined).length, 512)
  t.is(end.finishReason, 'length')
  t.is(end.thoughtTokens, 600)
  t.is(end.completionTokens, 1_112)
})

test('should say that the prompt is too long as LM Studio says it', async (t) => {
  const { server, engine } = await remoteScene(t, OPENAI)
  const message = 'The number of tokens to keep is greater than the context length.'
  alwaysAnswer(
    OPENAI,
    server,
    `event: error\ndata: ${JSON.stringify({ error: { message }, message })}\n\n`,
  )
  t.is((await failureOf(generate(engine, 'x').next())).code, 'CONTEXT_TOO_LONG')
})

test('should pass on what the operator configured for the server', async (t) => {
  const server = await startOpenaiServer(t, { words: new ScriptedEngine() })
  const engine = engineOf(t, server, {
    name: 'other',
    slots: 9,
    contextTokens: 777,
    capabilities: ['chat'],
  })
  await engine.load()
  const { model, slots, contextTokens, capabilities } = engine.info()
  t.alike({ model, slots, contextTokens }, { model: 'other', slots: 9, contextTokens: 777 })
  t.alike([...capabilities], ['chat'])
  const error = await failureOf(answer(engine, 'x', { logprobs: 1 }))
  t.is(error.code, 'NOT_SUPPORTED')
})
