import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { LlamaRuntime } from '../../facilities/engine/llama/child/llama-runtime.js'
import { ModelCache } from '../../facilities/models/cache/model-cache.js'
import { inspectGguf } from '../../facilities/models/gguf-inspection.js'
import { DEFAULT_MODEL_NAME } from '../../facilities/models/sources/catalog.js'
import type { Token } from '../../helpers/protocol/generation.js'
import { ANSWER_OPTIONS, answerOptions } from '../answer-options.js'
import { type Comparison, quantile } from '../measure.js'
import { processorTimePerUnit, REPORTS_PROCESSOR_TIME } from '../processor-time.js'
import { SLOTS, spawnMesh } from './spawned-mesh.js'

const MESSAGES = [{ role: 'user' as const, content: 'Tell me about the history of the sea.' }]
const TOKENS = 200
const FIRST_TOKENS = 50
/** Answers whose processor time is measured together: it is rounded for short work, and other work adds to it. */
const TIMED_ANSWERS = 5

/** Generates one answer. */
type Answer = (maxTokens: number) => AsyncGenerator<Token, unknown, void>

/** The default model through client, gateway and processor, compared with the same engine in this process. */
export async function inferenceRows(): Promise<{ rows: Comparison[]; close(): Promise<void> }> {
  const mesh = await spawnMesh()
  const clock = new SystemClock()
  const cache = new ModelCache({ directory: mesh.modelsDirectory, random: new SystemRandom() })
  const { path: modelPath } = await cache.locate(DEFAULT_MODEL_NAME)
  const runtime = await LlamaRuntime.load({
    modelPath,
    facts: (await inspectGguf(modelPath)).facts,
    slots: SLOTS,
    contextTokens: 4096,
    threads: 1,
    gpu: 'auto',
    clock,
    random: new SystemRandom(),
    onLog: () => undefined,
    onProgress: () => undefined,
  })
  const never = new AbortController().signal
  const inProcess: Answer = (maxTokens) =>
    runtime.generate({ messages: MESSAGES, options: answerOptions({ maxTokens }) }, never)
  const throughMesh: Answer = (maxTokens) =>
    mesh.client.ask({ messages: MESSAGES, options: { ...ANSWER_OPTIONS, maxTokens } }, never)
  const against = 'the engine in process'
  const workerTime = (name: string): Comparison => ({
    what: `processor time per token through the mesh, ${name}`,
    against: '',
    unit: 'ms',
    goal: 'at most 0.1 ms',
    compare: 'absolute',
    baseline: async () => 0,
    starling: () => processorTimePerUnit(mesh.processId(name), () => readTimed(throughMesh)),
  })
  const processorTimes: Comparison[] = [
    workerTime('gateway'),
    workerTime('processor'),
    {
      what: 'processor time per token through the mesh, engine',
      against,
      unit: 'ms',
      goal: '',
      compare: 'difference',
      baseline: () => processorTimePerUnit(process.pid, () => readTimed(inProcess)),
      starling: () => processorTimePerUnit(mesh.engineProcessId(), () => readTimed(throughMesh)),
    },
  ]
  return {
    rows: [
      {
        what: 'tokens/s through the mesh, 1 stream',
        against,
        unit: 'tokens/s',
        goal: 'at least 0.95',
        compare: 'ratio',
        baseline: () => tokensPerSecond(inProcess, 1),
        starling: () => tokensPerSecond(throughMesh, 1),
      },
      {
        what: `tokens/s through the mesh, ${SLOTS} streams`,
        against,
        unit: 'tokens/s',
        goal: 'at least 0.95',
        compare: 'ratio',
        baseline: () => tokensPerSecond(inProcess, SLOTS),
        starling: () => tokensPerSecond(throughMesh, SLOTS),
      },
      {
        what: 'first token through the mesh, warm, p50',
        against,
        unit: 'ms',
        goal: 'at most +2 ms',
        compare: 'difference',
        baseline: () => firstTokenMs(inProcess, 0.5),
        starling: () => firstTokenMs(throughMesh, 0.5),
      },
      {
        what: 'first token through the mesh, warm, p99',
        against,
        unit: 'ms',
        goal: 'at most +8 ms',
        compare: 'difference',
        baseline: () => firstTokenMs(inProcess, 0.99),
        starling: () => firstTokenMs(throughMesh, 0.99),
      },
      ...(REPORTS_PROCESSOR_TIME ? processorTimes : []),
    ],
    async close() {
      await runtime.close()
      await mesh.close()
    },
  }
}

/** The rate of all streams together, from the first token of any stream to the last token of all. */
async function tokensPerSecond(answer: Answer, streams: number): Promise<number> {
  let startedAt = 0
  let tokens = 0
  const read = async () => {
    for await (const _token of answer(TOKENS)) {
      // The time to the first token is another row.
      if (startedAt === 0) startedAt = performance.now()
      else tokens += 1
    }
  }
  await Promise.all(Array.from({ length: streams }, read))
  return (tokens / (performance.now() - startedAt)) * 1000
}

/** Reads some answers, one after the other. @returns the number of their tokens */
async function readTimed(answer: Answer): Promise<number> {
  let tokens = 0
  for (let run = 0; run < TIMED_ANSWERS; run += 1) {
    for await (const _token of answer(TOKENS)) tokens += 1
  }
  return tokens
}

async function firstTokenMs(answer: Answer, share: number): Promise<number> {
  const times: number[] = []
  for (let run = 0; run < FIRST_TOKENS; run += 1) {
    const startedAt = performance.now()
    for await (const _token of answer(1)) times.push(performance.now() - startedAt)
  }
  return quantile(
    times.sort((a, b) => a - b),
    share,
  )
}

/** How long a processor that was killed and restarted takes to answer. */
export async function restartRows(): Promise<{ rows: Comparison[]; close(): Promise<void> }> {
  const mesh = await spawnMesh()
  const never = new AbortController().signal
  const answer = async () => {
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    const options = { ...ANSWER_OPTIONS, maxTokens: 1 }
    for await (const _token of mesh.client.ask({ messages, options }, never)) {
      // One token is enough.
    }
  }
  return {
    rows: [
      {
        what: 'restarted processor: from model loaded to first answer',
        against: '',
        unit: 'ms',
        goal: 'under 1000 ms',
        compare: 'absolute',
        baseline: async () => 0,
        starling: async () => {
          await mesh.restartProcessor()
          const startedAt = performance.now()
          await answer()
          return performance.now() - startedAt
        },
      },
    ],
    close: () => mesh.close(),
  }
}
