import type { GenerateRequest } from '../../../facilities/engine/engine.js'
import { ScriptedEngine } from '../../../facilities/engine/scripted/scripted-engine.js'
import type { GenerationEnd, Token } from '../../../helpers/protocol/generation.js'
import { ProcessorWorker } from '../../../workers/processor/processor-worker.js'
import { poolOf } from '../../helpers/workers/offered-models.js'
import { readPrompt, tokenText } from '../world/prompt.js'
import type { SimulatedProcess } from './simulated-process.js'

/** The only model. */
export const MODEL = 'scripted'

/** How a processor works. */
export interface ProcessorTraits {
  readonly slots: number
  readonly queueLength: number
  /** Between two tokens, in milliseconds; 0: they are all there at once. */
  readonly tokenMs: number
  readonly loadMs: number
}

/** A processor that has started. */
export interface StartedProcessor {
  readonly worker: ProcessorWorker
  readonly engine: ScriptedEngine
}

export async function startProcessor(
  process: SimulatedProcess,
  traits: ProcessorTraits,
): Promise<StartedProcessor> {
  const { clock, resources } = process
  const { slots, queueLength, tokenMs, loadMs } = traits
  const engine = new WatchedEngine(process, {
    model: MODEL,
    slots,
    script: ({ messages }) => {
      const { request, tokens } = readPrompt(messages.at(-1)?.content ?? '')
      return Array.from({ length: tokens }, (_, index) => tokenText(request, index))
    },
    ...(tokenMs > 0 && { beforeToken: (_, signal) => clock.sleep(tokenMs, signal) }),
    beforeLoad: () => clock.sleep(loadMs),
  })
  const network = process.createNetwork()
  const worker = new ProcessorWorker({
    service: network.service,
    pool: poolOf(engine, { slots, queueLength, clock }),
  })
  await resources.open(worker)
  await resources.open(network)
  await worker.serving()
  return { worker, engine }
}

/** Reports what it produces. */
class WatchedEngine extends ScriptedEngine {
  readonly #process: SimulatedProcess

  constructor(process: SimulatedProcess, options: ConstructorParameters<typeof ScriptedEngine>[0]) {
    super(options)
    this.#process = process
  }

  override async *generate(
    request: GenerateRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Token, GenerationEnd, void> {
    const { world, name, host } = this.#process
    const { request: asked } = readPrompt(request.messages.at(-1)?.content ?? '')
    if (!host.isDead) world.observe({ kind: 'generating', request: asked, processor: name })
    const tokens = super.generate(request, signal)
    try {
      for (;;) {
        const step = await tokens.next()
        if (step.done) return step.value
        if (!host.isDead) world.observe({ kind: 'produced', request: asked })
        yield step.value
      }
    } finally {
      await tokens.return(undefined as never)
    }
  }
}
