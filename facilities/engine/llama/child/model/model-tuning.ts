import type { LlamaModel } from 'node-llama-cpp'
import {
  MAX_CHUNK_TOKENS,
  MIN_CHUNK_TOKENS,
} from '../../../../../helpers/generation/prefill-pace.js'
import { threadCounts } from '../../../../../helpers/generation/thread-counts.js'
import type { Clock } from '../../../../clock/clock.js'
import { nativeTokens } from './llama-tokenizer.js'

/** The fastest settings for a model on this machine. */
export interface ModelTuning {
  readonly threads: number
  /** The most tokens of a prompt that are evaluated at once. */
  readonly promptChunkTokens: number
}

/** No measurement begins after this time; one that has begun is finished. */
const BUDGET_MS = 400

/** How often each candidate is measured after it has been warmed up. */
const ROUNDS = 3

/** Within this factor of the fastest, fewer threads and smaller chunks are preferred. */
const AS_GOOD = 1.05

/** A candidate that is slower than another by this factor at first is dropped. */
const HOPELESS = 2

/** The length of a sentence or two. */
const EMBEDDED_TOKENS = 32

const CHUNKS = [MIN_CHUNK_TOKENS, 32, MAX_CHUNK_TOKENS]

/** Smaller contexts give misleading measurements, because attention costs almost nothing in them. */
const CONTEXT_TOKENS = 256

/** Work like that of requests, with a given number of threads. */
interface Workload {
  read(tokens: number): Promise<void>
  dispose(): Promise<void>
}

/**
 * Measures the number of threads with which a model decodes fastest, and the chunk size with which it
 * evaluates prompts fastest. Takes half a second for a small model; a large one computes only a few
 * tokens.
 *
 * @param maxThreads how many threads the machine can run at once
 */
export async function measureTuning(
  model: LlamaModel,
  maxThreads: number,
  clock: Clock,
): Promise<ModelTuning> {
  const deadlineMs = clock.monotonic() + BUDGET_MS
  const workloads = (threads: number) => decoding(model, threads)
  const counts = threadCounts(model.size, maxThreads)
  const best = await fastestThreads(workloads, counts, clock, deadlineMs)
  try {
    const promptChunkTokens = await fastestChunk(best, clock, deadlineMs)
    return { threads: best.threads, promptChunkTokens }
  } finally {
    await best.dispose()
  }
}

/** Like {@link measureTuning}, for an embedding model, which evaluates a text as a whole. */
export async function measureEmbeddingTuning(
  model: LlamaModel,
  maxThreads: number,
  clock: Clock,
): Promise<ModelTuning> {
  const deadlineMs = clock.monotonic() + BUDGET_MS
  const workloads = (threads: number) => embedding(model, threads)
  const counts = threadCounts(model.size, maxThreads)
  const best = await fastestThreads(workloads, counts, clock, deadlineMs)
  await best.dispose()
  return { threads: best.threads, promptChunkTokens: MAX_CHUNK_TOKENS }
}

async function decoding(model: LlamaModel, threads: number): Promise<Workload> {
  const context = await model.createContext({
    ...{ sequences: 1, contextSize: CONTEXT_TOKENS, batchSize: MAX_CHUNK_TOKENS, threads },
  })
  const sequence = context.getSequence()
  return {
    async read(tokens) {
      if (sequence.nextTokenIndex + tokens >= CONTEXT_TOKENS) await sequence.clearHistory()
      await sequence.evaluateWithoutGeneratingNewTokens(someTokens(tokens))
    },
    dispose: async () => await context.dispose(),
  }
}

async function embedding(model: LlamaModel, threads: number): Promise<Workload> {
  const context = await model.createEmbeddingContext({ contextSize: CONTEXT_TOKENS, threads })
  return {
    async read() {
      await context.getEmbeddingFor(someTokens(EMBEDDED_TOKENS))
    },
    dispose: async () => await context.dispose(),
  }
}

function someTokens(count: number) {
  return nativeTokens(Array.from({ length: count }, (_, index) => index + 1))
}

/** A number of threads under test. */
class Candidate {
  readonly threads: number
  readonly #workload: Workload
  readonly #clock: Clock
  readonly #timesMs: number[] = []

  constructor(threads: number, workload: Workload, clock: Clock) {
    this.threads = threads
    this.#workload = workload
    this.#clock = clock
  }

  /**
   * The mean time of the smallest unit of work. Not the minimum, so that occasional long waits of
   * threads count.
   */
  get stepMs(): number {
    return this.#timesMs.reduce((sum, timeMs) => sum + timeMs, 0) / this.#timesMs.length
  }

  /** Does the smallest unit of work; the first time warms up. */
  async measure(): Promise<void> {
    this.#timesMs.push(await this.time(1))
  }

  /** Forgets the first measurement unless it is the only one. */
  warmedUp(): void {
    if (this.#timesMs.length > 1) this.#timesMs.shift()
  }

  /** The time to evaluate tokens, in milliseconds. */
  async time(tokens: number): Promise<number> {
    const startedAtMs = this.#clock.monotonic()
    await this.#workload.read(tokens)
    return this.#clock.monotonic() - startedAtMs
  }

  async dispose(): Promise<void> {
    await this.#workload.dispose()
  }
}

async function fastestThreads(
  workloads: (threads: number) => Promise<Workload>,
  threadCounts: readonly number[],
  clock: Clock,
  deadlineMs: number,
): Promise<Candidate> {
  let best: Candidate | null = null
  for (const threads of threadCounts) {
    if (best !== null && clock.monotonic() > deadlineMs) break
    const candidate: Candidate = new Candidate(threads, await workloads(threads), clock)
    const slower = await slowerOf(best, candidate, clock, deadlineMs)
    if (slower === null) {
      best = candidate
      continue
    }
    await slower.dispose()
    // Beyond the fastest number of threads, the speed only gets worse.
    if (slower === candidate) break
    best = candidate
  }
  if (best === null) throw new Error('there is nothing to measure')
  return best
}

/** Measures two in turns, so that a busy moment of the machine affects both. */
async function slowerOf(
  best: Candidate | null,
  candidate: Candidate,
  clock: Clock,
  deadlineMs: number,
): Promise<Candidate | null> {
  await candidate.measure()
  if (best === null) {
    // Warms up; it is measured together with the next one.
    await candidate.measure()
    candidate.warmedUp()
    return null
  }
  if (candidate.stepMs > HOPELESS * best.stepMs) {
    // Repeated, because the first token also loads the model's weights into memory.
    await candidate.measure()
    candidate.warmedUp()
    if (candidate.stepMs > HOPELESS * best.stepMs) return candidate
  }
  for (let round = 0; round < ROUNDS && clock.monotonic() < deadlineMs; round++) {
    await best.measure()
    await candidate.measure()
  }
  candidate.warmedUp()
  const [fewer, more] = best.threads < candidate.threads ? [best, candidate] : [candidate, best]
  return fewer.stepMs <= more.stepMs * AS_GOOD ? more : fewer
}

async function fastestChunk(
  candidate: Candidate,
  clock: Clock,
  deadlineMs: number,
): Promise<number> {
  const times = new Map<number, number[]>(CHUNKS.map((tokens) => [tokens, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [tokens, timesMs] of times) {
      if (clock.monotonic() > deadlineMs) break
      timesMs.push((await candidate.time(tokens)) / tokens)
    }
  }
  const measured = [...times].filter(([, timesMs]) => timesMs.length > 0)
  // A model that is too large to measure gains most from large chunks, which read it less often.
  if (measured.length < CHUNKS.length) return MAX_CHUNK_TOKENS
  const fastest = Math.min(...measured.map(([, timesMs]) => median(timesMs)))
  const [chosen = MAX_CHUNK_TOKENS] =
    measured.find(([, timesMs]) => median(timesMs) <= fastest * AS_GOOD) ?? []
  return chosen
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.POSITIVE_INFINITY
}
