import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { LlamaRuntime } from '../../facilities/engine/llama/child/llama-runtime.js'
import { LlamaEngine } from '../../facilities/engine/llama/llama-engine.js'
import { ModelCache } from '../../facilities/models/cache/model-cache.js'
import { inspectGguf } from '../../facilities/models/gguf-inspection.js'
import { DEFAULT_MODEL_NAME } from '../../facilities/models/sources/catalog.js'
import { answerOptions } from '../answer-options.js'
import { type Comparison, quantile } from '../measure.js'
import { takeCycles } from './cycles.js'
import { DirectLlama } from './direct-llama.js'
import { LoadCycles } from './load-cycles.js'
import { residentMebibytes } from './resident-memory.js'

const SLOTS = 8
const CONTEXT_TOKENS = 4096
const TOKENS = 200
const FIRST_TOKENS = 40
const CANCELS = 20
/** 1,004 tokens of the default model. */
const LONG_TEXT = 'The quick brown fox jumps over the lazy dog. '.repeat(59)
/** In each round; `STARLING_BENCH_CYCLES=200` makes a thousand of the five. */
const CYCLES = takeCycles(process.env)
const NEVER = new AbortController().signal

/** Something that answers: how many tokens a stream of it gives, and no more. */
type Answer = (stream: number, content: string, maxTokens: number) => AsyncIterable<unknown>

/** The default model by an engine in its own process, against node-llama-cpp used directly. */
export async function engineRows(): Promise<{ rows: Comparison[]; close(): Promise<void> }> {
  const modelsDirectory = await mkdtemp(join(tmpdir(), 'starling-bench-'))
  const clock = new SystemClock()
  const cache = new ModelCache({ directory: modelsDirectory, random: new SystemRandom() })
  const { path, sha256 } = await cache.prepare(DEFAULT_MODEL_NAME)
  const shared = { contextTokens: CONTEXT_TOKENS, threads: 1, clock }
  const engineOf = (slots: number) =>
    new LlamaEngine({ ...shared, slots, model: DEFAULT_MODEL_NAME, modelsDirectory })
  const [engine, single] = [engineOf(SLOTS), engineOf(1)]
  await Promise.all([engine.load(), single.load()])
  const direct = await DirectLlama.load(path, SLOTS, CONTEXT_TOKENS)
  const runtime = await LlamaRuntime.load({
    ...shared,
    slots: SLOTS,
    modelPath: path,
    facts: (await inspectGguf(path)).facts,
    modelSha256: sha256,
    gpu: 'auto',
    random: new SystemRandom(),
    onLog: () => undefined,
    onProgress: () => undefined,
  })
  const by =
    (who: Pick<LlamaEngine, 'generate'>, signal = NEVER): Answer =>
    (_, content, maxTokens) => {
      const options = answerOptions({ maxTokens })
      return who.generate({ messages: [{ role: 'user', content }], options }, signal)
    }
  const directly: Answer = async function* (stream, content, maxTokens) {
    const { tokens } = runtime.applyTemplate([{ role: 'user', content }])
    yield* direct.generate(stream, tokens, maxTokens)
  }
  const ofWorker = new LoadCycles('engine', path, modelsDirectory)
  const inOneProcess = new LoadCycles('runtime', path, modelsDirectory)
  const against = 'node-llama-cpp directly'
  const rate = (streams: number): Comparison => ({
    what: `engine: tokens/s, ${streams} ${streams === 1 ? 'stream' : 'streams'}`,
    against,
    unit: 'tokens/s',
    goal: 'at least 0.95',
    compare: 'ratio',
    raw: () => tokensPerSecond(directly, streams),
    ours: () => tokensPerSecond(by(engine), streams),
  })
  return {
    rows: [
      rate(1),
      rate(4),
      rate(SLOTS),
      {
        what: 'engine: tokens/s, 1 stream, in a process of its own',
        against: 'the same code in process',
        unit: 'tokens/s',
        goal: '',
        compare: 'ratio',
        raw: () => tokensPerSecond(by(runtime), 1),
        ours: () => tokensPerSecond(by(engine), 1),
      },
      {
        what: 'engine: first token, p50',
        against,
        unit: 'ms',
        goal: 'at most +1 ms',
        compare: 'difference',
        raw: () => firstTokenMs(directly),
        ours: () => firstTokenMs(by(engine)),
      },
      {
        what: 'engine: first token after 1,000 known tokens, p50',
        against: 'the same when they are not known',
        unit: 'ms',
        goal: '',
        compare: 'ratio',
        raw: () => firstTokenMs(by(single), (run) => `${run} ${LONG_TEXT}`, 5),
        ours: () => firstTokenMs(by(single), (run) => `${LONG_TEXT} ${run}`, 5),
      },
      {
        what: 'engine: cancelled while it answers, to the next first token, p50',
        against: '',
        unit: 'ms',
        goal: 'at most 50 ms',
        compare: 'absolute',
        raw: async () => 0,
        ours: () => cancelMs(single, 'Tell me a story', true),
      },
      {
        what: 'engine: cancelled while it reads a prompt, to the next first token, p50',
        against: '',
        unit: 'ms',
        goal: 'at most 200 ms',
        compare: 'absolute',
        raw: async () => 0,
        ours: () => cancelMs(single, LONG_TEXT, false),
      },
      {
        what: 'engine: memory of its process, 8 slots of 4,096 tokens',
        against,
        unit: 'MiB',
        goal: '',
        compare: 'ratio',
        raw: () => residentMebibytes('direct', path, modelsDirectory),
        ours: () => residentMebibytes('engine', path, modelsDirectory),
      },
      {
        what: `engine: memory grown by ${CYCLES} cycles of load, answer and dispose`,
        against: 'the same in one process',
        unit: 'MiB',
        goal: 'none',
        compare: 'absolute',
        raw: () => inOneProcess.growthMebibytes(CYCLES),
        ours: () => ofWorker.growthMebibytes(CYCLES),
      },
    ],
    async close() {
      await Promise.all([ofWorker.close(), inOneProcess.close()])
      await runtime.close()
      await direct.close()
      await Promise.all([engine.dispose(), single.dispose()])
      await rm(modelsDirectory, { recursive: true, force: true })
    },
  }
}

/** Of all streams together, from the first token of the first to the last token of the last. */
async function tokensPerSecond(answer: Answer, streams: number): Promise<number> {
  let startedAt = 0
  let tokens = 0
  const read = async (stream: number) => {
    for await (const _token of answer(stream, 'Tell me about the history of the sea.', TOKENS)) {
      if (startedAt === 0) startedAt = performance.now()
      else tokens += 1
    }
  }
  await Promise.all(Array.from({ length: streams }, (_, stream) => read(stream)))
  return (tokens / (performance.now() - startedAt)) * 1000
}

/** @param content the question of each run; different from its first word on unless it is given */
async function firstTokenMs(
  answer: Answer,
  content = (run: number) => `${run} is a number. What do you know about it?`,
  runs = FIRST_TOKENS,
): Promise<number> {
  const times: number[] = []
  for (let run = 0; run < runs; run += 1) {
    const startedAt = performance.now()
    for await (const _token of answer(0, content(run), 1)) {
      times.push(performance.now() - startedAt)
    }
  }
  return quantile(
    times.sort((a, b) => a - b),
    0.5,
  )
}

/** From a cancel to the first token of who waits for the slot. */
async function cancelMs(engine: LlamaEngine, content: string, answers: boolean): Promise<number> {
  const times: number[] = []
  for (let run = 0; run < CANCELS; run += 1) {
    const cancel = new AbortController()
    const options = answerOptions({ maxTokens: 1_000, repeatPenalty: 1.3 })
    const messages = [{ role: 'user' as const, content: `${run} ${content}` }]
    const generation = engine.generate({ messages, options }, cancel.signal)
    const first = generation.next()
    // A call in between: what was asked before it has begun.
    if (answers) await first
    else await engine.tokenize('x')
    const next = engine.generate(
      { messages: [{ role: 'user', content: 'Hi' }], options: { ...options, maxTokens: 1 } },
      NEVER,
    )
    const nextFirst = next.next()
    const startedAt = performance.now()
    cancel.abort()
    await first.catch(() => undefined)
    await nextFirst
    times.push(performance.now() - startedAt)
    await next.next()
  }
  return quantile(
    times.sort((a, b) => a - b),
    0.5,
  )
}
