import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../../../facilities/engine/llama/llama-engine.js'
import { STORY_PROMPTS, TOO_LONG_STORY } from '../../../helpers/engine/compliance/prompts.js'
import { engineCompliance } from '../../../helpers/engine/compliance/suite.js'
import { SHARED_MODELS_DIRECTORY, TINY_MODEL_PATH } from '../../../helpers/engine/tiny-llama.js'

engineCompliance(
  'llama.cpp',
  (scope) => {
    const engine = new LlamaEngine({
      model: TINY_MODEL_PATH,
      modelsDirectory: SHARED_MODELS_DIRECTORY,
      clock: new SystemClock(),
      gpu: false,
    })
    scope.teardown(async () => await engine.dispose())
    return engine
  },
  {
    kind: 'llama.cpp',
    capabilities: [
      'chat',
      'tokens',
      'template',
      'resume',
      'seed',
      'logit-bias',
      'logprobs',
      'dry',
      'json-schema',
    ],
    reproducibility: 'exact',
    prompts: STORY_PROMPTS,
    tooLongPrompt: TOO_LONG_STORY,
  },
)
