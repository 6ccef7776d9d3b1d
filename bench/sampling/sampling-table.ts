import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { LlamaRuntime } from '../../facilities/engine/llama/child/llama-runtime.js'
import { ModelCache } from '../../facilities/models/cache/model-cache.js'
import { inspectGguf } from '../../facilities/models/gguf-inspection.js'
import { DEFAULT_MODEL_NAME } from '../../facilities/models/sources/catalog.js'
import {
  type RecommendedSampling,
  USUAL_SAMPLING,
} from '../../helpers/generation/sampling-defaults.js'
import { generationOptionsSchema } from '../../helpers/protocol/generation-options.js'
import { SAMPLING_PROMPTS } from './prompts.js'

const SLOTS = 8
const MAX_TOKENS = 512
/** A repeated sequence of this many tokens is more than a common phrase. */
const SEQUENCE_TOKENS = 12
/** An answer loops if such a sequence occurs at least this often. */
const LOOP_OCCURRENCES = 3
/** The length of the sequences that measure how varied an answer is. */
const NGRAM_TOKENS = 4
const NEVER = new AbortController().signal

const GREEDY = { temperature: 0 }
const DRY = { dryMultiplier: 0.8 }
const COOL = { temperature: 0.3, topP: 0.9 }

/** The settings to compare. Options that a setting leaves out have llama.cpp's defaults. */
const SETTINGS: Readonly<Record<string, RecommendedSampling>> = {
  "llama.cpp's defaults": {},
  'greedy, repeat penalty 1.1': { ...GREEDY, repeatPenalty: 1.1 },
  'greedy, DRY 0.8': { ...GREEDY, ...DRY },
  'greedy, DRY 0.8, repeat penalty 1.1': { ...GREEDY, ...DRY, repeatPenalty: 1.1 },
  'temperature 0.3, DRY 0.8, repeat penalty 1.1': { ...COOL, ...DRY, repeatPenalty: 1.1 },
}

/** Statistics of the answers to all prompts. Shares are from 0 to 1. */
interface SamplingResult {
  readonly setting: string
  /** The share of answers that loop. */
  readonly looping: number
  /** The mean share of distinct 4-grams. */
  readonly distinct: number
  readonly meanTokens: number
  /** The share of answers that reached the maximum length. */
  readonly cutOff: number
}

/**
 * Answers 100 prompts with the default model and each setting, and reports how much the answers repeat
 * themselves.
 *
 * @returns the lines of a Markdown table, each as soon as it is measured
 */
export async function* samplingTable(): AsyncGenerator<string, void, void> {
  const directory = await mkdtemp(join(tmpdir(), 'starling-bench-'))
  const cache = new ModelCache({ directory, random: new SystemRandom() })
  const { path, sha256 } = await cache.prepare(DEFAULT_MODEL_NAME)
  const runtime = await LlamaRuntime.load({
    ...{ modelPath: path, modelSha256: sha256, slots: SLOTS, contextTokens: 2048 },
    facts: (await inspectGguf(path)).facts,
    ...{ threads: 'auto', gpu: 'auto', sampling: {} },
    clock: new SystemClock(),
    random: new SystemRandom(),
    onLog: () => undefined,
    onProgress: () => undefined,
  })
  try {
    yield '| sampling | answers that loop | distinct 4-grams | mean tokens | cut off at 512 |'
    yield '|---|---|---|---|---|'
    for (const [setting, sampling] of Object.entries(SETTINGS)) {
      yield row(await resultOf(runtime, setting, sampling))
    }
  } finally {
    await runtime.close()
    await rm(directory, { recursive: true })
  }
}

async function resultOf(
  runtime: LlamaRuntime,
  setting: string,
  sampling: RecommendedSampling,
): Promise<SamplingResult> {
  const open = SAMPLING_PROMPTS.entries()
  const answers: number[][] = []
  const answerAll = async () => {
    for (const [seed, prompt] of open) answers.push(await answer(runtime, prompt, seed, sampling))
  }
  await Promise.all(Array.from({ length: SLOTS }, answerAll))
  const { length } = answers
  return {
    setting,
    looping: answers.filter(loops).length / length,
    distinct: mean(answers.map(distinctShare)),
    meanTokens: mean(answers.map((tokens) => tokens.length)),
    cutOff: answers.filter((tokens) => tokens.length >= MAX_TOKENS).length / length,
  }
}

async function answer(
  runtime: LlamaRuntime,
  content: string,
  seed: number,
  sampling: RecommendedSampling,
): Promise<number[]> {
  const options = generationOptionsSchema.parse({
    ...USUAL_SAMPLING,
    ...sampling,
    ...{ maxTokens: MAX_TOKENS, seed, allowRepetition: true },
  })
  const tokens: number[] = []
  for await (const { tokenId } of runtime.generate(
    { messages: [{ role: 'user', content }], options },
    NEVER,
  )) {
    if (tokenId !== null) tokens.push(tokenId)
  }
  return tokens
}

function row({ setting, looping, distinct, meanTokens, cutOff }: SamplingResult): string {
  const percent = (share: number) => `${Math.round(share * 100)} %`
  return (
    `| ${setting} | ${percent(looping)} | ${distinct.toFixed(2)} | ` +
    `${meanTokens.toFixed(0)} | ${percent(cutOff)} |`
  )
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Whether an answer loops: a sequence of 12 tokens occurs three times. */
function loops(tokens: readonly number[]): boolean {
  const occurrences = new Map<string, number>()
  for (const sequence of sequences(tokens, SEQUENCE_TOKENS)) {
    const count = (occurrences.get(sequence) ?? 0) + 1
    if (count >= LOOP_OCCURRENCES) return true
    occurrences.set(sequence, count)
  }
  return false
}

/** The share of distinct sequences of four tokens: 1 if none occurs twice. */
function distinctShare(tokens: readonly number[]): number {
  const all = sequences(tokens, NGRAM_TOKENS)
  return all.length === 0 ? 1 : new Set(all).size / all.length
}

function sequences(tokens: readonly number[], length: number): string[] {
  const count = Math.max(0, tokens.length - length + 1)
  return Array.from({ length: count }, (_, start) => tokens.slice(start, start + length).join())
}
