import test from 'brittle'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import type { EngineCapability } from '../../../../facilities/engine/engine.js'
import { OllamaEngine } from '../../../../facilities/engine/remote/ollama-engine.js'
import { OpenaiEngine } from '../../../../facilities/engine/remote/openai-engine.js'
import { STORY_PROMPTS, TOO_LONG_STORY } from '../../../helpers/engine/compliance/prompts.js'
import { engineCompliance } from '../../../helpers/engine/compliance/suite.js'
import { tinyLlama } from '../../../helpers/engine/tiny-llama.js'
import { Shared } from '../../../helpers/shared.js'
import { until } from '../../../helpers/until.js'
import { startOllamaServer } from '../../../helpers/upstream/ollama-server.js'
import { startOpenaiServer } from '../../../helpers/upstream/openai-server.js'

const MODEL = 'tiny:1m'
const clock = new SystemClock()

/** Servers of both kinds with the tiny model, through one llama.cpp. */
const servers = new Shared(async (scope) => {
  const engines = { [MODEL]: await tinyLlama(scope) }
  const ollama = await startOllamaServer(scope, engines)
  return { ollama, openai: await startOpenaiServer(scope, engines) }
})

/** What is behind the servers promises more than their APIs do. */
const BEHIND = {
  reproducibility: 'none',
  answersRepeat: true,
  prompts: STORY_PROMPTS,
  tooLongPrompt: TOO_LONG_STORY,
} as const

engineCompliance(
  'ollama',
  async (scope) => {
    const { ollama } = await servers.get()
    const engine = new OllamaEngine({ model: MODEL, host: ollama.url, clock })
    scope.teardown(async () => await engine.dispose())
    return engine
  },
  { ...BEHIND, kind: 'ollama', capabilities: ['chat', 'seed', 'json-schema'] },
)

/** The model has no template for functions. */
const capabilities: readonly EngineCapability[] = [
  ...(['chat', 'seed', 'logit-bias', 'logprobs', 'dry', 'json-schema'] as const),
]

engineCompliance(
  'openai',
  async (scope) => {
    const { openai } = await servers.get()
    const engine = new OpenaiEngine({ model: MODEL, baseUrl: openai.url, capabilities, clock })
    scope.teardown(async () => await engine.dispose())
    return engine
  },
  { ...BEHIND, kind: 'openai', capabilities },
)

test('should have left no request running at either server', async (t) => {
  t.teardown(async () => await servers.end())
  const { ollama, openai } = await servers.get()
  await until('their requests to end', () => ollama.running + openai.running === 0)
  t.pass()
})
