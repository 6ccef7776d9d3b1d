import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { ECHO_PROMPTS } from '../../../helpers/engine/compliance/prompts.js'
import { engineCompliance } from '../../../helpers/engine/compliance/suite.js'
import { ScriptedEmbeddings } from '../../../helpers/engine/scripted-abilities.js'
import { REMOTE_KINDS } from '../../../helpers/upstream/remote-engines.js'

// Servers with a model that embeds texts and answers nothing.
for (const kind of REMOTE_KINDS) {
  engineCompliance(
    `${kind.name}, embeddings`,
    async (scope) => {
      const server = await kind.start(scope, { 'embed-small': new ScriptedEmbeddings() })
      const engine = kind.create(server.url, 'embed-small', new SystemClock())
      scope.teardown(async () => await engine.dispose())
      return engine
    },
    {
      kind: kind.name,
      capabilities: ['embed'],
      reproducibility: 'none',
      prompts: ECHO_PROMPTS,
      tooLongPrompt: 'word '.repeat(5000),
    },
  )
}
