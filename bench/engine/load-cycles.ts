import { fork } from 'node:child_process'
import { once } from 'node:events'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { LlamaRuntime } from '../../facilities/engine/llama-runtime.js'
import { generationOptionsSchema } from '../../helpers/protocol/generation.js'

const WARM_UP_CYCLES = 10
const COUNTED_CYCLES = 40

/**
 * How much a process has grown after 100 more cycles of load, answer and dispose, in MiB.
 *
 * @param cycles how many are counted
 */
export async function memoryGrowthMebibytes(
  modelPath: string,
  cycles = COUNTED_CYCLES,
): Promise<number> {
  const child = fork(import.meta.filename, [modelPath, String(cycles)])
  const [growthBytes] = (await once(child, 'message')) as [number]
  return ((growthBytes / 2 ** 20) * 100) / cycles
}

async function cycle(modelPath: string): Promise<void> {
  const runtime = await LlamaRuntime.load({
    modelPath,
    slots: 2,
    contextTokens: 256,
    threads: 1,
    gpu: false,
    clock: new SystemClock(),
    onLog: () => undefined,
    onProgress: () => undefined,
  })
  const options = generationOptionsSchema.parse({ maxTokens: 4 })
  const messages = [{ role: 'user' as const, content: 'Once upon a time' }]
  const answer = runtime.generate({ messages, options }, new AbortController().signal)
  for await (const _token of answer) {
    // The tokens themselves are of no interest.
  }
  await runtime.close()
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  const [, , modelPath = '', cycles = ''] = process.argv
  for (let count = 0; count < WARM_UP_CYCLES; count += 1) await cycle(modelPath)
  const before = process.memoryUsage.rss()
  for (let count = 0; count < Number(cycles); count += 1) await cycle(modelPath)
  const growthBytes = process.memoryUsage.rss() - before
  process.send(growthBytes, () => process.exit(0))
}
