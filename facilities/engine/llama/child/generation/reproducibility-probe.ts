import type { Reproducibility } from '../../../../../helpers/protocol/generation.js'
import type { BatchStrategy } from '../model/batch-strategy.js'
import type { LlamaSequence, NextToken } from './llama-sequence.js'

/** The most sequences that are compared. */
const PROBED_SEQUENCES = 4

/** Tokens that are generated in each. */
const PROBED_TOKENS = 3

/** Enough of the likeliest tokens to distinguish two computations by their last bit. */
const LIKELIEST: NextToken = {
  token: true,
  logits: { filter: { tokens: [], includeTop: 8 } },
  totalLogitWeight: true,
  options: { temperature: 0 },
}

/** A sequence under test. */
export type ProbedSequence = Pick<LlamaSequence, 'next' | 'read' | 'align'>

/** The result for a model on this machine. */
export interface ReproducibilityReport {
  readonly reproducibility: Reproducibility
  /** Whether tokens may be evaluated in chunks of any size below 64 without changing the numbers. */
  readonly anyChunk: boolean
}

/** The computed numbers, to the last bit, and the chosen tokens. */
interface Outcome {
  readonly numbers: string
  readonly tokens: readonly number[]
}

/**
 * Tests whether a model's answers are the same to the last bit: if they are repeated, computed beside
 * others, and resumed. If answers change when they are computed together, the strategy is set to turns;
 * if they change with the chunk size, the result says so.
 *
 * Takes about eighty evaluations of one token, a tenth of a second for a model of 26M parameters. The
 * sequences are empty before and after; they are also warm after it, so that the first request does not
 * begin with a slow evaluation.
 *
 * @param prompt a few tokens of ordinary text
 */
export async function probeReproducibility(
  sequences: readonly ProbedSequence[],
  strategy: BatchStrategy,
  prompt: readonly number[],
): Promise<ReproducibilityReport> {
  const probed = sequences.slice(0, PROBED_SEQUENCES)
  // Prompts of different lengths, so that one is decoded beside another's prompt.
  const prompts = probed.map((_, index) => repeated(prompt, prompt.length + 2 * index))
  const alone: Outcome[] = []
  for (const [index, sequence] of probed.entries()) {
    alone.push(await answer(sequence, prompts[index] ?? []))
  }
  const besideIsSame = async () => {
    const beside = await Promise.all(
      probed.map((sequence, index) => answer(sequence, prompts[index] ?? [])),
    )
    return beside.every((outcome, index) => isSame(outcome, alone[index]))
  }
  let isIndependent = await besideIsSame()
  if (!isIndependent) {
    strategy.takeTurns()
    isIndependent = await besideIsSame()
  }
  const [first] = probed
  const longest = prompts.at(-1) ?? []
  const expected = alone.at(-1)
  if (first === undefined || expected === undefined) {
    return { reproducibility: 'none', anyChunk: false }
  }
  if (!isSame(await answer(first, longest), expected)) {
    return { reproducibility: 'none', anyChunk: false }
  }
  const anyChunk =
    isSame(await answer(first, longest, 1), expected) &&
    (await isSameResumed(first, longest, expected, longest.length))
  const isResumable = anyChunk || (await isSameResumed(first, longest, expected, 1))
  return { reproducibility: isIndependent && isResumable ? 'exact' : 'machine', anyChunk }
}

/** Repeats the tokens up to a length. */
function repeated(tokens: readonly number[], length: number): number[] {
  return Array.from({ length }, (_, index) => tokens[index % tokens.length] ?? 0)
}

/** Generates a few tokens. @param chunkTokens how many tokens of the prompt are evaluated at once */
async function answer(
  sequence: ProbedSequence,
  prompt: readonly number[],
  chunkTokens = prompt.length,
): Promise<Outcome> {
  const numbers: string[] = []
  const tokens: number[] = []
  await readInChunks(sequence, prompt.slice(0, -1), chunkTokens)
  let input = prompt.slice(-1)
  for (let index = 0; index < PROBED_TOKENS; index++) {
    const next = await sequence.next(input, LIKELIEST)
    numbers.push(numbersOf(next))
    if (next.token === undefined || next.token === null) break
    tokens.push(next.token)
    input = [next.token]
  }
  await sequence.align([])
  return { numbers: numbers.join(' '), tokens }
}

/** Whether the last token of an answer is the same if the tokens before it are given. */
async function isSameResumed(
  sequence: ProbedSequence,
  prompt: readonly number[],
  { numbers, tokens }: Outcome,
  chunkTokens: number,
): Promise<boolean> {
  const given = tokens.slice(0, -1)
  if (chunkTokens > 1) await readInChunks(sequence, [...prompt, ...given].slice(0, -1), chunkTokens)
  else {
    await readInChunks(sequence, prompt.slice(0, -1), prompt.length)
    await readInChunks(sequence, [...prompt.slice(-1), ...given].slice(0, -1), 1)
  }
  const next = await sequence.next([...prompt, ...given].slice(-1), LIKELIEST)
  await sequence.align([])
  return numbers.endsWith(numbersOf(next))
}

async function readInChunks(
  sequence: ProbedSequence,
  tokens: readonly number[],
  chunkTokens: number,
): Promise<void> {
  for (let start = 0; start < tokens.length; start += chunkTokens) {
    await sequence.read(tokens.slice(start, start + chunkTokens))
  }
}

function numbersOf(next: Awaited<ReturnType<LlamaSequence['next']>>): string {
  return `${next.token}:${next.totalLogitWeight}:${[...(next.logits ?? [])].join()}`
}

function isSame(one: Outcome, other: Outcome | undefined): boolean {
  return one.numbers === other?.numbers
}
