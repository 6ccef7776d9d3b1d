import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { LlamaRuntime } from '../../facilities/engine/llama/child/llama-runtime.js'
import { ModelCache } from '../../facilities/models/cache/model-cache.js'
import { inspectGguf } from '../../facilities/models/gguf-inspection.js'
import { DEFAULT_MODEL_NAME } from '../../facilities/models/sources/catalog.js'
import type { Token } from '../../helpers/protocol/generation.js'
import { ANSWER_OPTIONS, answerOptions } from '../answer-options.js'
import { type Comparison, quantile } from '../measure.js'
import { SLOTS, spawnMesh } from './spawned-mesh.js'

const MESSAGES = [{ role: 'user' as const, content: 'Tell me about the history of the sea.' }]
const TOKENS = 200
const FIRST_TOKENS = 50

/** One answer, however it is made. */
type Answer = (maxTokens: number) => AsyncGenerator<Token, unknown, void>

/** The default model through client, gateway and processor, against the same engine in process. */
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
  return {
    rows: [
      {
        what: 'tokens/s through the mesh, 1 stream',
        against,
        unit: 'tokens/s',
        goal: 'at least 0.95',
        compare: 'ratio',
        raw: () => tokensPerSecond(inProcess, 1),
        ours: () => tokensPerSecond(throughMesh, 1),
      },
      {
        what: `tokens/s through the mesh, ${SLOTS} streams`,
        against,
        unit: 'tokens/s',
        goal: 'at least 0.95',
        compare: 'ratio',
        raw: () => tokensPerSecond(inProcess, SLOTS),
        ours: () => tokensPerSecond(throughMesh, SLOTS),
      },
      {
        what: 'first token through the mesh, warm, p50',
        against,
        unit: 'ms',
        goal: 'at most +2 ms',
        compare: 'difference',
        raw: () => firstTokenMs(inProcess, 0.5),
        ours: () => firstTokenMs(throughMesh, 0.5),
      },
      {
        what: 'first token through the mesh, warm, p99',
        against,
        unit: 'ms',
        goal: 'at most +8 ms',
        compare: 'difference',
        raw: () => firstTokenMs(inProcess, 0.99),
        ours: () => firstTokenMs(throughMesh, 0.99),
      },
    ],
    async close() {
      await runtime.close()
      await mesh.close()
    },
  }
}

/** Of all streams together, from the first token of the first to the last token of the last. */
async function tokensPerSecond(answer: Answer, streams: number): Promise<number> {
  let startedAt = 0
  let tokens = 0
  const read = async () => {
    for await (const _token of answer(TOKENS)) {
      // The first token has a row of its own.
      if (startedAt === 0) startedAt = performance.now()
      else tokens += 1
    }
  }
  await Promise.all(Array.from({ length: streams }, read))
  return (tokens / (performance.now() - startedAt)) * 1000
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
