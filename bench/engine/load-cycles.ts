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

/** How a model is loaded, and left at the end of a cycle. */
const LOADERS = {
  /** As a worker does: in a process of its own, which ends with it. */
  engine: async (modelPath: string, modelsDirectory: string) => {
    const engine = new LlamaEngine({
      ...SHARED,
      model: modelPath,
      modelsDirectory,
      clock: new SystemClock(),
    })
    return { answering: engine, leave: () => engine.dispose() }
  },
  /** llama.cpp in the process that counts. */
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
    return { answering: runtime, leave: () => runtime.close() }
  },
}

/** A process that loads a model, answers and disposes of it, again and again. */
export class LoadCycles {
  readonly #child: ChildProcess

  /** @param loader what the model is loaded by */
  constructor(loader: keyof typeof LOADERS, modelPath: string, modelsDirectory: string) {
    this.#child = fork(import.meta.filename, [loader, modelPath, modelsDirectory], {
      // What nobody refers to any more is no growth.
      execArgv: ['--expose-gc'],
    })
  }

  /** How much its process has grown, in MiB, after that many cycles more. */
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
  const { answering, leave } = await LOADERS[loader](...files)
  await readAll(answering)
  await leave()
}

async function readAll(answering: Pick<Engine, 'generate'>): Promise<void> {
  const options = answerOptions({ maxTokens: 4 })
  const messages = [{ role: 'user' as const, content: 'Once upon a time' }]
  for await (const _token of answering.generate(
    { messages, options },
    new AbortController().signal,
  )) {
    // The tokens themselves are of no interest.
  }
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
