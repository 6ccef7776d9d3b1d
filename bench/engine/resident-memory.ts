import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../facilities/engine/llama/llama-engine.js'
import { answerOptions } from '../answer-options.js'
import { DirectLlama } from './direct-llama.js'

const SLOTS = 8
const CONTEXT_TOKENS = 4096
const TOKENS = 16
const KIBIBYTES_IN_MEBIBYTE = 1024

/** Loads the model and answers once. Resolves to the process that has the model in memory. */
const LOADERS = {
  engine: async (modelPath: string, modelsDirectory: string): Promise<number> => {
    const engine = new LlamaEngine({
      ...{ model: modelPath, modelsDirectory, slots: SLOTS, contextTokens: CONTEXT_TOKENS },
      ...{ threads: 1, clock: new SystemClock() },
    })
    const options = answerOptions({ maxTokens: TOKENS })
    const messages = [{ role: 'user' as const, content: 'Hi' }]
    const never = new AbortController().signal
    for await (const _token of engine.generate({ messages, options }, never));
    return engine.processId ?? 0
  },
  direct: async (modelPath: string): Promise<number> => {
    const direct = await DirectLlama.load(modelPath, SLOTS, CONTEXT_TOKENS)
    for await (const _token of direct.generate(0, [1, 2, 3], TOKENS));
    return process.pid
  },
}

/** The resident memory in MiB of the process with the model after one answer, with 8 slots of 4,096 tokens. */
export async function modelMebibytes(
  loader: keyof typeof LOADERS,
  modelPath: string,
  modelsDirectory: string,
): Promise<number> {
  const child = fork(import.meta.filename, [loader, modelPath, modelsDirectory])
  const ended = once(child, 'exit')
  const [processId] = (await once(child, 'message')) as [number]
  const mebibytes = await residentMebibytes(processId)
  child.disconnect()
  await ended
  return mebibytes
}

/** The resident memory of a process in MiB. */
export async function residentMebibytes(processId: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(processId)])
  return Number(stdout) / KIBIBYTES_IN_MEBIBYTE
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  const [, , loader = '', modelPath = '', modelsDirectory = ''] = process.argv
  process.on('disconnect', () => process.exit(0))
  process.send(await LOADERS[loader as keyof typeof LOADERS](modelPath, modelsDirectory))
}
