import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import type { Engine } from '../../facilities/engine/engine.js'
import { LlamaRuntime } from '../../facilities/engine/llama/child/llama-runtime.js'
import { LlamaEngine } from '../../facilities/engine/llama/llama-engine.js'
import { inspectGguf } from '../../facilities/models/gguf-inspection.js'
import { answerOptions } from '../answer-options.js'

const MEBIBYTE = 2 ** 20
const SHARED = { slots: 2, contextTokens: 256, threads: 1, gpu: false } as const

/** How a cycle loads a model, and disposes of it at its end. */
const LOADERS = {
  /** As a worker does: in a child process, which ends with the engine. */
  engine: async (modelPath: string, modelsDirectory: string) => {
    const engine = new LlamaEngine({
      ...SHARED,
      model: modelPath,
      modelsDirectory,
      clock: new SystemClock(),
    })
    return { engine, dispose: () => engine.dispose() }
  },
  /** llama.cpp in the process whose memory is measured. */
  runtime: async (modelPath: string) => {
    const runtime = await LlamaRuntime.load({
      ...SHARED,
      modelPath,
      facts: (await inspectGguf(modelPath)).facts,
      clock: new SystemClock(),
      random: new SystemRandom(),
      onLog: () => undefined,
      onProgress: () => undefined,
    })
    return { engine: runtime, dispose: () => runtime.close() }
  },
}

/** A process that repeatedly loads a model, answers and disposes of the model. */
export class LoadCycles {
  readonly #child: ChildProcess

  constructor(loader: keyof typeof LOADERS, modelPath: string, modelsDirectory: string) {
    this.#child = fork(import.meta.filename, [loader, modelPath, modelsDirectory], {
      // Garbage must not count as growth.
      execArgv: ['--expose-gc'],
    })
  }

  /** Runs more cycles. @returns the growth of the resident memory of the process, in MiB */
  async growthMebibytes(cycles: number): Promise<number> {
    this.#child.send(cycles)
    const [growthBytes] = (await once(this.#child, 'message')) as [number]
    return growthBytes / MEBIBYTE
  }

  async close(): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }
}

async function cycle(loader: keyof typeof LOADERS, files: [string, string]): Promise<void> {
  const { engine, dispose } = await LOADERS[loader](...files)
  await readAll(engine)
  await dispose()
}

async function readAll(engine: Pick<Engine, 'generate'>): Promise<void> {
  const options = answerOptions({ maxTokens: 4 })
  const messages = [{ role: 'user' as const, content: 'Once upon a time' }]
  const never = new AbortController().signal
  for await (const _token of engine.generate({ messages, options }, never));
}

function residentBytes(): number {
  globalThis.gc?.()
  return process.memoryUsage.rss()
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  const [, , loader = '', ...files] = process.argv
  process.on('message', async (cycles: number) => {
    const before = residentBytes()
    for (let count = 0; count < cycles; count += 1) {
      await cycle(loader as keyof typeof LOADERS, files as [string, string])
    }
    process.send?.(residentBytes() - before)
  })
  process.on('disconnect', () => process.exit(0))
}
