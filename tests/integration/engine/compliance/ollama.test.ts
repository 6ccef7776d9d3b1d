import test from 'brittle'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../../../facilities/engine/llama/llama-engine.js'
import { OllamaEngine } from '../../../../facilities/engine/remote/ollama-engine.js'
import { STORY_PROMPTS, TOO_LONG_STORY } from '../../../helpers/engine/compliance/prompts.js'
import { engineCompliance } from '../../../helpers/engine/compliance/suite.js'
import { SHARED_MODELS_DIRECTORY, TINY_MODEL_PATH } from '../../../helpers/engine/tiny-llama.js'
import { Shared } from '../../../helpers/shared.js'
import { until } from '../../../helpers/until.js'
import { startOllamaServer } from '../../../helpers/upstream/ollama-server.js'

const clock = new SystemClock()

/** A server with the tiny model, through llama.cpp. */
const upstream = new Shared(async (scope) => {
  const engine = new LlamaEngine({
    model: TINY_MODEL_PATH,
    modelsDirectory: SHARED_MODELS_DIRECTORY,
    clock,
    gpu: false,
  })
  scope.teardown(async () => await engine.dispose())
  await engine.load()
  return await startOllamaServer(scope, { 'tiny:1m': engine })
})

engineCompliance(
  'ollama',
  async (scope) => {
    const { url } = await upstream.get()
    const engine = new OllamaEngine({ model: 'tiny:1m', host: url, clock })
    scope.teardown(async () => await engine.dispose())
    return engine
  },
  {
    kind: 'ollama',
    capabilities: ['chat', 'seed', 'json-schema'],
    reproducibility: 'none',
    // What is behind the server promises more than Ollama does.
    answersRepeat: true,
    prompts: STORY_PROMPTS,
    tooLongPrompt: TOO_LONG_STORY,
  },
)

test('should have left no request running at the server (ollama)', async (t) => {
  t.teardown(async () => await upstream.end())
  const server = await upstream.get()
  await until('its requests to end', () => server.running === 0)
  t.pass()
})
