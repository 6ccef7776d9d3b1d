import test, { type Test } from 'brittle'
import { getLlama, LlamaLogLevel } from 'node-llama-cpp'
import { BatchStrategy } from '../../../facilities/engine/batch-strategy.js'
import { LlamaSequence, type NextToken } from '../../../facilities/engine/llama-sequence.js'
import { NativeWork } from '../../../facilities/engine/native-work.js'
import { probeReproducibility } from '../../../facilities/engine/reproducibility-probe.js'
import { defaultModelPath } from '../../helpers/loaded-runtime.js'
import { TINY_MODEL_PATH } from '../../helpers/tiny-llama.js'

const TEXTS = ['Once upon a time', 'The sun was', 'One day, a girl named Sue saw a ball', 'Tom']
const LIKELIEST: NextToken = {
  token: true,
  logits: { filter: { tokens: [], includeTop: 4 } },
  totalLogitWeight: true,
  options: { temperature: 0 },
}

async function likelihoods(sequence: LlamaSequence, prompt: readonly number[]): Promise<string[]> {
  const outcomes: string[] = []
  let input = prompt
  for (let index = 0; index < 20; index++) {
    const next = await sequence.next(input, LIKELIEST)
    outcomes.push(`${next.token}:${next.totalLogitWeight}:${[...(next.logits ?? [])].join()}`)
    input = [next.token ?? 0]
  }
  await sequence.align([])
  return outcomes
}

async function scene(t: Test, modelPath: string) {
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error })
  t.teardown(async () => await llama.dispose())
  const model = await llama.loadModel({ modelPath })
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

async function keepsEveryBit(t: Test, { sequences, prompts }: Scene): Promise<void> {
  const answer = async (sequence: LlamaSequence, index: number) =>
    await likelihoods(sequence, prompts[index] ?? [])
  const alone: string[][] = []
  for (const [index, sequence] of sequences.entries()) alone.push(await answer(sequence, index))
  t.alike(await Promise.all(sequences.map(answer)), alone)
}

test('should have answers take turns, and read every prompt alike, when f16 weights round differently', async (t) => {
  const all = await scene(t, TINY_MODEL_PATH)
  t.absent(all.strategy.together)
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
