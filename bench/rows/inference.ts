import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { LlamaRuntime } from '../../facilities/engine/llama-runtime.js'
import { DEFAULT_MODEL_NAME } from '../../facilities/models/catalog.js'
import { ModelCache } from '../../facilities/models/model-cache.js'
import { generationOptionsSchema, type Token } from '../../helpers/protocol/generation.js'
import { type Comparison, quantile } from '../measure.js'
import { spawnMesh } from './spawned-mesh.js'

const MESSAGES = [{ role: 'user' as const, content: 'Tell me about the history of the sea.' }]
const TOKENS = 200
const FIRST_TOKENS = 20

/** One answer, however it is made. */
type Answer = (maxTokens: number) => AsyncGenerator<Token, unknown, void>

/** The default model through client, gateway and processor, against the same engine in process. */
export async function inferenceRows(): Promise<{ rows: Comparison[]; close(): Promise<void> }> {
  const mesh = await spawnMesh()
  const clock = new SystemClock()
  const cache = new ModelCache({ directory: mesh.modelsDirectory, random: new SystemRandom() })
  const runtime = await LlamaRuntime.load({
    modelPath: (await cache.locate(DEFAULT_MODEL_NAME)).path,
    slots: 4,
    contextTokens: 4096,
    threads: 1,
    gpu: 'auto',
    clock,
    onLog: () => undefined,
    onProgress: () => undefined,
  })
  const never = new AbortController().signal
  const inProcess: Answer = (maxTokens) =>
    runtime.generate(
      { messages: MESSAGES, options: generationOptionsSchema.parse({ maxTokens }) },
      never,
    )
  const throughMesh: Answer = (maxTokens) =>
    mesh.client.ask({ messages: MESSAGES, options: { maxTokens } }, never)
  const against = 'the engine in process'
  return {
    rows: [
      {
        what: 'tokens/s through the mesh, 1 stream',
        against,
        unit: 'tokens/s',
        goal: 'at least 0.95',
        compare: 'ratio',
        raw: () => tokensPerSecond(inProcess),
        ours: () => tokensPerSecond(throughMesh),
      },
      {
        what: 'first token through the mesh, warm, p50',
        against,
        unit: 'ms',
        goal: 'at most +2 ms',
        compare: 'difference',
        raw: () => firstTokenMs(inProcess),
        ours: () => firstTokenMs(throughMesh),
      },
    ],
    async close() {
      await runtime.close()
      await mesh.close()
    },
  }
}

/** From the second token on: the first one has a row of its own. */
async function tokensPerSecond(answer: Answer): Promise<number> {
  let startedAt = 0
  let tokens = 0
  for await (const _token of answer(TOKENS)) {
    if (tokens === 0) startedAt = performance.now()
    tokens += 1
  }
  return ((tokens - 1) / (performance.now() - startedAt)) * 1000
}

async function firstTokenMs(answer: Answer): Promise<number> {
  const times: number[] = []
  for (let run = 0; run < FIRST_TOKENS; run += 1) {
    const startedAt = performance.now()
    for await (const _token of answer(1)) times.push(performance.now() - startedAt)
  }
  return quantile(
    times.sort((a, b) => a - b),
    0.5,
  )
}
