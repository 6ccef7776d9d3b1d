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

const teardowns: (() => unknown)[] = []
const scope = { teardown: (action: () => unknown) => teardowns.push(action) }

/** Loading it takes a second: the subjects that speak to it share it. */
let llama: Promise<LlamaEngine> | null = null
async function sharedLlama(): Promise<LlamaEngine> {
  llama ??= thinkingModel().then(async (model) => {
    const modelsDirectory = SHARED_MODELS_DIRECTORY
    const engine = new LlamaEngine({ model, modelsDirectory, clock, gpu: false, slots: 1 })
    scope.teardown(async () => await engine.dispose())
    await engine.load()
    return engine
  })
  return await llama
}

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
  'llama.cpp': { kind: 'llama.cpp', more: ['resume'], make: sharedLlama },
  ollama: {
    kind: 'ollama',
    async make() {
      const { url: host } = await startOllamaServer(scope, { thinker: await sharedLlama() })
      return new OllamaEngine({ model: 'thinker', host, clock })
    },
  },
  openai: {
    kind: 'openai',
    async make() {
      const { url: baseUrl } = await startOpenaiServer(scope, { thinker: await sharedLlama() })
      return new OpenaiEngine({ model: 'thinker', baseUrl, clock })
    },
  },
}

for (const [name, { kind, more = [], make }] of Object.entries(ENGINES)) {
  const create = async () => {
    const engine = await make()
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
  for (let action = teardowns.pop(); action; action = teardowns.pop()) await action()
  t.pass()
})
