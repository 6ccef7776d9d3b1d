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
import { processorTimePerUnit, REPORTS_PROCESSOR_TIME } from '../processor-time.js'
import { DirectLlama } from './direct-llama.js'
import { LoadCycles } from './load-cycles.js'
import { modelMebibytes } from './resident-memory.js'

const SLOTS = 8
const CONTEXT_TOKENS = 4096
const TOKENS = 200
const TIMED_TOKENS = 1_000
const FIRST_TOKENS = 40
const CANCELS = 20
/** 1,004 tokens of the default model. */
const LONG_TEXT = 'The quick brown fox jumps over the lazy dog. '.repeat(59)
/** Cycles in each round. With `BENCH_CYCLES=200`, the five rounds run 1,000. */
const CYCLES = Number(process.env.BENCH_CYCLES ?? 20)
const NEVER = new AbortController().signal

/** Generates one answer of at most `maxTokens`. */
type Answer = (stream: number, content: string, maxTokens: number) => AsyncIterable<unknown>

/** The default model in an engine process, compared with node-llama-cpp used directly. */
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
  const answersOf =
    (engine: Pick<LlamaEngine, 'generate'>): Answer =>
    (_, content, maxTokens) => {
      const options = answerOptions({ maxTokens })
      return engine.generate({ messages: [{ role: 'user', content }], options }, NEVER)
    }
  const directAnswers: Answer = async function* (stream, content, maxTokens) {
    const { tokens } = runtime.applyTemplate([{ role: 'user', content }])
    yield* direct.generate(stream, tokens, maxTokens)
  }
  const engineCycles = new LoadCycles('engine', path, modelsDirectory)
  const runtimeCycles = new LoadCycles('runtime', path, modelsDirectory)
  const against = 'node-llama-cpp directly'
  const rate = (streams: number): Comparison => ({
    what: `engine: tokens/s, ${streams} ${streams === 1 ? 'stream' : 'streams'}`,
    against,
    unit: 'tokens/s',
    goal: 'at least 0.95',
    compare: 'ratio',
    baseline: () => tokensPerSecond(directAnswers, streams),
    starling: () => tokensPerSecond(answersOf(engine), streams),
  })
  const parentTime: Comparison = {
    what: 'engine: processor time per token, in the process that reads',
    against: '',
    unit: 'ms',
    goal: '',
    compare: 'absolute',
    baseline: async () => 0,
    starling: () => processorTimePerUnit(process.pid, () => readAll(answersOf(engine))),
  }
  return {
    rows: [
      rate(1),
      rate(4),
      rate(SLOTS),
      {
        what: 'engine: tokens/s, 1 stream, in a separate process',
        against: 'the same code in one process',
        unit: 'tokens/s',
        goal: '',
        compare: 'ratio',
        baseline: () => tokensPerSecond(answersOf(runtime), 1),
        starling: () => tokensPerSecond(answersOf(engine), 1),
      },
      ...(REPORTS_PROCESSOR_TIME ? [parentTime] : []),
      {
        what: 'engine: first token, p50',
        against,
        unit: 'ms',
        goal: 'at most +1 ms',
        compare: 'difference',
        baseline: () => firstTokenMs(directAnswers),
        starling: () => firstTokenMs(answersOf(engine)),
      },
      {
        what: 'engine: first token after 1,000 cached prompt tokens, p50',
        against: 'the same without the cache',
        unit: 'ms',
        goal: '',
        compare: 'ratio',
        baseline: () => firstTokenMs(answersOf(single), (run) => `${run} ${LONG_TEXT}`, 5),
        starling: () => firstTokenMs(answersOf(single), (run) => `${LONG_TEXT} ${run}`, 5),
      },
      {
        what: 'engine: cancel during an answer, to the next first token, p50',
        against: '',
        unit: 'ms',
        goal: 'at most 50 ms',
        compare: 'absolute',
        baseline: async () => 0,
        starling: () => cancelMs(single, 'Tell me a story', true),
      },
      {
        what: 'engine: cancel during the prompt, to the next first token, p50',
        against: '',
        unit: 'ms',
        goal: 'at most 200 ms',
        compare: 'absolute',
        baseline: async () => 0,
        starling: () => cancelMs(single, LONG_TEXT, false),
      },
      {
        what: 'engine: memory of the process, 8 slots of 4,096 tokens',
        against,
        unit: 'MiB',
        goal: '',
        compare: 'ratio',
        baseline: () => modelMebibytes('direct', path, modelsDirectory),
        starling: () => modelMebibytes('engine', path, modelsDirectory),
      },
      {
        what: `engine: memory growth in ${CYCLES} cycles of load, answer and dispose`,
        against: 'the same in one process',
        unit: 'MiB',
        goal: 'none',
        compare: 'absolute',
        baseline: () => runtimeCycles.growthMebibytes(CYCLES),
        starling: () => engineCycles.growthMebibytes(CYCLES),
      },
    ],
    async close() {
      await Promise.all([engineCycles.close(), runtimeCycles.close()])
      await runtime.close()
      await direct.close()
      await Promise.all([engine.dispose(), single.dispose()])
      await rm(modelsDirectory, { recursive: true, force: true })
    },
  }
}

/** Reads one answer. @returns the number of its tokens */
async function readAll(answer: Answer): Promise<number> {
  let tokens = 0
  for await (const _token of answer(0, 'Tell me about the history of the sea.', TIMED_TOKENS)) {
    tokens += 1
  }
  return tokens
}

/** The rate of all streams together, from the first token of any stream to the last token of all. */
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

/**
 * The median time to the first token.
 *
 * @param content the prompt of each run. Default: prompts without a common prefix
 */
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

/**
 * The median time from a cancel to the first token of the request that waits for the slot.
 *
 * @param hasFirstToken whether to cancel after the first token, or while the prompt is evaluated
 */
async function cancelMs(
  engine: LlamaEngine,
  content: string,
  hasFirstToken: boolean,
): Promise<number> {
  const times: number[] = []
  for (let run = 0; run < CANCELS; run += 1) {
    const cancel = new AbortController()
    const options = answerOptions({ maxTokens: 1_000, repeatPenalty: 1.3 })
    const messages = [{ role: 'user' as const, content: `${run} ${content}` }]
    const generation = engine.generate({ messages, options }, cancel.signal)
    const first = generation.next()
    // When the next call returns, the engine has started the generation.
    if (hasFirstToken) await first
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
