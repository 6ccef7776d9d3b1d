import test, { type Test } from 'brittle'
import { configSchema } from '../../../../config/schema.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  ollamaModels,
  ollamaTagsSchema,
} from '../../../../helpers/upstream/ollama/model-description.js'
import { type ChoiceOptions, chooseEngines } from '../../../../workers/processor/default-engines.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { settle } from '../../../helpers/until.js'

type ListModels = NonNullable<ChoiceOptions['listModels']>

/** What is chosen, what is told, and which servers are asked. */
async function choice(
  settings: object,
  options: { names?: readonly string[]; listModels?: ListModels; ollamaHost?: string } = {},
) {
  const { names = [], ollamaHost } = options
  const asked: string[] = []
  const notices: string[] = []
  const clock = new VirtualClock()
  const listed = async () =>
    ollamaModels(ollamaTagsSchema.parse({ models: names.map((name) => ({ name })) }))
  const choosing = chooseEngines(configSchema.parse({ processor: settings }).processor, {
    clock,
    ollamaHost,
    onNotice: (text) => notices.push(text),
    listModels: async (request) => {
      asked.push(request.host)
      return await (options.listModels ?? listed)(request)
    },
  })
  await settle()
  // Longer than an Ollama server that is up takes.
  await clock.advance(1_000)
  return { chosen: await choosing, asked, notices }
}

const engines = async (...words: Parameters<typeof choice>) =>
  (await choice(...words)).chosen.engines

test('should put the models of Ollama before the default model when neither models nor engines are set', async (t) => {
  const names = ['nomic-embed-text', 'qwen3:0.6b', 'llama3.2', 'gemma3', 'phi4']
  const { chosen, asked, notices } = await choice({}, { names })
  t.alike(chosen.engines, ['ollama', 'llama'])
  t.alike(chosen.models, ['minimind2-small'])
  t.alike(asked, ['127.0.0.1:11434'])
  t.alike(notices, [
    'Serving the models of Ollama at http://127.0.0.1:11434: qwen3:0.6b, llama3.2, gemma3 and 1 more. ' +
      'To leave them out, name a model with --model.',
  ])
})

test('should use OLLAMA_HOST, and prefer the configured address', async (t) => {
  const ollamaHost = '0.0.0.0:4000'
  t.alike((await choice({}, { ollamaHost })).asked, ['127.0.0.1:4000'])
  const ollama = { url: 'workstation:4000' }
  t.alike((await choice({ ollama }, { ollamaHost })).asked, ['workstation:4000'])
  const { chosen, asked } = await choice({ engines: ['ollama'] }, { ollamaHost })
  t.is(chosen.ollama.url, '127.0.0.1:4000')
  t.alike(asked, [], 'what is configured needs no search')
})

test('should ask no server when anything is configured or the search is off', async (t) => {
  const names = ['llama3.2']
  for (const [settings, expected] of [
    [{ models: ['./x.gguf'] }, ['llama']],
    [{ engines: ['openai'] }, ['openai']],
    [{ models: ['./x.gguf'], engines: ['ollama', 'llama'] }, ['ollama', 'llama']],
    [{ findOllama: false }, ['llama']],
  ] as const) {
    const { chosen, asked } = await choice(settings, { names })
    t.alike(chosen.engines, expected)
    t.alike(asked, [])
  }
})

test('should say that the default model is a toy, and how to get another, when there is no other model', async (t) => {
  await isToldOfToy(t, {})
  await isToldOfToy(t, { names: ['nomic-embed-text'] })
  t.alike((await choice({ models: ['minimind2-small'] })).notices, [], 'who asked for it knows')
})

test('should continue without Ollama when the server at its port fails, is not Ollama, or takes too long', async (t) => {
  const failing = (code: 'ENGINE_UNREACHABLE' | 'CONFIG_INVALID') => async () => {
    throw new StarlingError(code, 'no')
  }
  for (const listModels of [
    failing('ENGINE_UNREACHABLE'),
    failing('CONFIG_INVALID'),
    () => new Promise<never>(() => {}),
  ]) {
    await isToldOfToy(t, { listModels })
  }
  t.alike(await engines({}, { ollamaHost: 'no address' }), ['llama'])
})

async function isToldOfToy(t: Test, options: Parameters<typeof choice>[1]): Promise<void> {
  const { chosen, notices } = await choice({}, options)
  t.alike(chosen.engines, ['llama'])
  t.is(notices.length, 1)
  for (const word of ['a toy', 'hf:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf', 'MB', 'Ollama']) {
    t.ok(notices[0]?.includes(word), word)
  }
}
