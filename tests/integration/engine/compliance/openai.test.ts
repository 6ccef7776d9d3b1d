import test from 'brittle'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../../../facilities/engine/llama/llama-engine.js'
import { OpenaiEngine } from '../../../../facilities/engine/remote/openai-engine.js'
import { STORY_PROMPTS, TOO_LONG_STORY } from '../../../helpers/engine/compliance/prompts.js'
import { engineCompliance } from '../../../helpers/engine/compliance/suite.js'
import { SHARED_MODELS_DIRECTORY, TINY_MODEL_PATH } from '../../../helpers/engine/tiny-llama.js'
import { Shared } from '../../../helpers/shared.js'
import { until } from '../../../helpers/until.js'
import { startOpenaiServer } from '../../../helpers/upstream/openai-server.js'

const clock = new SystemClock()

/** The model has no template for functions. */
const CAPABILITIES = ['chat', 'seed', 'logit-bias', 'logprobs', 'dry', 'json-schema'] as const

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
  return await startOpenaiServer(scope, { tiny: engine })
})

engineCompliance(
  'openai',
  async (scope) => {
    const { url } = await upstream.get()
    const engine = new OpenaiEngine({
      model: 'tiny',
      baseUrl: url,
      capabilities: CAPABILITIES,
      clock,
    })
    scope.teardown(async () => await engine.dispose())
    return engine
  },
  {
    kind: 'openai',
    capabilities: CAPABILITIES,
    reproducibility: 'none',
    // What is behind the server promises more than the API does.
    answersRepeat: true,
    prompts: STORY_PROMPTS,
    tooLongPrompt: TOO_LONG_STORY,
  },
)

test('should have left no request running at the server (openai)', async (t) => {
  t.teardown(async () => await upstream.end())
  const server = await upstream.get()
  await until('its requests to end', () => server.running === 0)
  t.pass()
})
