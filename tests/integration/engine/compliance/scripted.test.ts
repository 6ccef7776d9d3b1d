import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { ECHO_PROMPTS } from '../../../helpers/engine/compliance/prompts.js'
import { engineCompliance } from '../../../helpers/engine/compliance/suite.js'

engineCompliance(
  'scripted',
  (scope) => {
    const engine = new ScriptedEngine()
    scope.teardown(async () => await engine.dispose())
    return engine
  },
  {
    kind: 'scripted',
    capabilities: ['chat', 'resume', 'seed'],
    reproducibility: 'exact',
    prompts: ECHO_PROMPTS,
    tooLongPrompt: 'word '.repeat(5000),
  },
)
