import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../../../facilities/engine/llama/llama-engine.js'
import { DEFAULT_EMBEDDING_MODEL_NAME } from '../../../../facilities/models/sources/catalog.js'
import { STORY_PROMPTS, TOO_LONG_STORY } from '../../../helpers/engine/compliance/prompts.js'
import { engineCompliance } from '../../../helpers/engine/compliance/suite.js'
import { SHARED_MODELS_DIRECTORY } from '../../../helpers/engine/tiny-llama.js'

// A model that embeds texts and answers nothing.
engineCompliance(
  'llama.cpp, embeddings',
  (scope) => {
    const engine = new LlamaEngine({
      model: DEFAULT_EMBEDDING_MODEL_NAME,
      modelsDirectory: SHARED_MODELS_DIRECTORY,
      clock: new SystemClock(),
      gpu: false,
    })
    scope.teardown(async () => await engine.dispose())
    return engine
  },
  {
    kind: 'llama.cpp',
    capabilities: ['embed', 'tokens'],
    reproducibility: 'machine',
    prompts: STORY_PROMPTS,
    tooLongPrompt: TOO_LONG_STORY,
  },
)
