import test from 'brittle'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import type { Engine, EngineCapability } from '../../../../facilities/engine/engine.js'
import { LlamaEngine } from '../../../../facilities/engine/llama/llama-engine.js'
import { OllamaEngine } from '../../../../facilities/engine/remote/ollama-engine.js'
import { OpenaiEngine } from '../../../../facilities/engine/remote/openai-engine.js'
import { ScriptedEngine } from '../../../../facilities/engine/scripted/scripted-engine.js'
import { ComplianceSubject } from '../../../helpers/engine/compliance/subject.js'
import { thoughtChecks } from '../../../helpers/engine/compliance/thought-checks.js'
import { thinkingModel } from '../../../helpers/engine/thinking-model.js'
import { SHARED_MODELS_DIRECTORY } from '../../../helpers/engine/tiny-llama.js'
import { Shared } from '../../../helpers/shared.js'
import { startOllamaServer } from '../../../helpers/upstream/ollama-server.js'
import { startOpenaiServer } from '../../../helpers/upstream/openai-server.js'

const clock = new SystemClock()
const SCRIPT = [
  '<think>',
  '\n',
  'It is',
  ' a question.',
  '\n</th',
  'ink>',
  '\n\n',
  'Yes,',
  ' it is.',
]

/** Everything that the engines need: the subjects that speak to llama.cpp share it. */
const shared = new Shared(async (scope) => {
  const model = await thinkingModel()
  const modelsDirectory = SHARED_MODELS_DIRECTORY
  const llama = new LlamaEngine({ model, modelsDirectory, clock, gpu: false, slots: 1 })
  scope.teardown(async () => await llama.dispose())
  await llama.load()
  return { scope, llama }
})

/** How each of them is made; the engines are disposed of by the last test. */
const ENGINES: Record<
  string,
  { kind: string; more?: EngineCapability[]; make(): Promise<Engine> }
> = {
  scripted: {
    kind: 'scripted',
    more: ['resume'],
    make: async () => new ScriptedEngine({ thinks: true, script: () => SCRIPT }),
  },
  'llama.cpp': {
    kind: 'llama.cpp',
    more: ['resume'],
    make: async () => (await shared.get()).llama,
  },
  ollama: {
    kind: 'ollama',
    async make() {
      const { scope, llama } = await shared.get()
      const { url: host } = await startOllamaServer(scope, { thinker: llama })
      return new OllamaEngine({ model: 'thinker', host, clock })
    },
  },
  openai: {
    kind: 'openai',
    async make() {
      const { scope, llama } = await shared.get()
      const { url: baseUrl } = await startOpenaiServer(scope, { thinker: llama })
      return new OpenaiEngine({ model: 'thinker', baseUrl, clock })
    },
  },
}

for (const [name, { kind, more = [], make }] of Object.entries(ENGINES)) {
  const create = async () => {
    const engine = await make()
    const { scope } = await shared.get()
    scope.teardown(async () => await engine.dispose())
    await engine.load()
    return engine
  }
  thoughtChecks(
    new ComplianceSubject(`${name} that thinks`, create, {
      kind,
      capabilities: ['chat', 'thinking', ...more],
      reproducibility: 'none',
      prompts: ['Once upon a time there was a little dog'],
      tooLongPrompt: '',
    }),
  )
}

test('should have ended the engines that think', async (t) => {
  await shared.end()
  t.pass()
})
