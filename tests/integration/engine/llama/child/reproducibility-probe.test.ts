import test, { type Test } from 'brittle'
import {
  LlamaSequence,
  type NextToken,
} from '../../../../../facilities/engine/llama/child/generation/llama-sequence.js'
import { probeReproducibility } from '../../../../../facilities/engine/llama/child/generation/reproducibility-probe.js'
import { BatchStrategy } from '../../../../../facilities/engine/llama/child/model/batch-strategy.js'
import { NativeWork } from '../../../../../facilities/engine/llama/child/model/native-work.js'
import { defaultModelPath } from '../../../../helpers/engine/loaded-runtime.js'
import { TINY_MODEL_PATH } from '../../../../helpers/engine/tiny-llama.js'
import {
  loadNative,
  type Rounding,
  roundingModel,
} from '../../../../helpers/gguf/rounding-model.js'

const TEXTS = ['Once upon a time', 'The sun was', 'One day, a girl named Sue saw a ball', 'Tom']
const LIKELIEST: NextToken = {
  token: true,
  logits: { filter: { tokens: [], includeTop: 4 } },
  totalLogitWeight: true,
  options: { temperature: 0 },
}

function numbersOf(next: Awaited<ReturnType<LlamaSequence['next']>>): string {
  return `${next.token}:${next.totalLogitWeight}:${[...(next.logits ?? [])].join()}`
}

async function likelihoods(sequence: LlamaSequence, prompt: readonly number[]): Promise<string[]> {
  const outcomes: string[] = []
  let input = prompt
  for (let index = 0; index < 20; index++) {
    const next = await sequence.next(input, LIKELIEST)
    outcomes.push(numbersOf(next))
    input = [next.token ?? 0]
  }
  await sequence.align([])
  return outcomes
}

async function scene(t: Test, modelPath: string, rounding?: Rounding) {
  const native = await loadNative(t, modelPath)
  const model = rounding === undefined ? native.model : roundingModel(native.model, rounding)
  const strategy = new BatchStrategy()
  const context = await model.createContext({
    ...{ sequences: TEXTS.length, contextSize: 256, batchSize: 256, threads: 1 },
    batching: { itemPrioritizationStrategy: strategy.prioritize },
  })
  const work = new NativeWork()
  const sequences = TEXTS.map(() => new LlamaSequence(context.getSequence(), work, true))
  const prompts = TEXTS.map((text): readonly number[] => model.tokenize(text))
  const report = await probeReproducibility(sequences, strategy, prompts[0] ?? [])
  return { sequences, prompts, strategy, report }
}

type Scene = Awaited<ReturnType<typeof scene>>

/** Every bit stays what it is: beside others, read in the pieces that the report allows, and resumed. */
async function keepsEveryBit(t: Test, { sequences, prompts, report }: Scene): Promise<void> {
  const answer = async (sequence: LlamaSequence, index: number) =>
    await likelihoods(sequence, prompts[index] ?? [])
  const alone: string[][] = []
  for (const [index, sequence] of sequences.entries()) alone.push(await answer(sequence, index))
  t.alike(await Promise.all(sequences.map(answer)), alone, 'beside others')
  const [sequence] = sequences
  const [prompt = []] = prompts
  if (sequence === undefined) throw new Error('there is no sequence')
  const expected = alone[0] ?? []
  const given = expected.slice(0, -1).map((outcome) => Number.parseInt(outcome, 10))
  const resumed = report.anyChunk
    ? [[...prompt, ...given].slice(0, 7), [...prompt, ...given].slice(7, -1)]
    : [prompt, ...given.slice(0, -1).map((token) => [token])]
  for (const tokens of resumed) await sequence.read(tokens)
  const last = await sequence.next(given.slice(-1), LIKELIEST)
  await sequence.align([])
  t.is(numbersOf(last), expected.at(-1), 'resumed')
}

test('should give bit-identical results with the chosen strategy when weights are f16', async (t) => {
  const all = await scene(t, TINY_MODEL_PATH)
  t.is(all.report.reproducibility, 'exact')
  await keepsEveryBit(t, all)
})

test('should compute answers in turns when others in the batch change the logits', async (t) => {
  const all = await scene(t, TINY_MODEL_PATH, { neighbours: true })
  t.absent(all.strategy.together)
  t.is(all.report.reproducibility, 'exact')
  await keepsEveryBit(t, all)
})

test('should evaluate every prompt in the same chunks when chunks of another size change the logits', async (t) => {
  const all = await scene(t, TINY_MODEL_PATH, { chunks: true })
  t.alike(all.report, { reproducibility: 'exact', anyChunk: false })
  await keepsEveryBit(t, all)
})

test('should compute answers together, in chunks of any size, when q8_0 weights allow it', async (t) => {
  const all = await scene(t, await defaultModelPath())
  t.ok(all.strategy.together)
  t.alike(all.report, { reproducibility: 'exact', anyChunk: true })
  await keepsEveryBit(t, all)
})

test('should leave the sequences empty when it has probed', async (t) => {
  const { sequences } = await scene(t, TINY_MODEL_PATH)
  t.alike(
    sequences.map(({ length }) => length),
    TEXTS.map(() => 0),
  )
})
