import test, { type Test } from 'brittle'
import { getLlama, type LlamaContextSequence, LlamaLogLevel, type Token } from 'node-llama-cpp'
import { BatchStrategy } from '../../facilities/engine/batch-strategy.js'
import { TINY_MODEL_PATH } from '../helpers/tiny-llama.js'

const TEXTS = ['Once upon a time', 'The sun was', 'One day, a girl named Sue saw a ball', 'Tom']

async function likelihoods(
  sequence: LlamaContextSequence,
  prompt: readonly Token[],
): Promise<string[]> {
  const outcomes: string[] = []
  let input = [...prompt]
  for (let index = 0; index < 20; index++) {
    const last = input.pop()
    if (last === undefined) throw new Error('nothing to evaluate')
    const generateNext = { token: true, confidence: true, options: { temperature: 0 } }
    const output = await sequence.controlledEvaluate([...input, [last, { generateNext }]])
    const next = output.at(-1)?.next
    if (next?.token === undefined || next.token === null) throw new Error('no token')
    outcomes.push(`${next.token}:${next.confidence}`)
    input = [next.token]
  }
  await sequence.clearHistory()
  return outcomes
}

async function sequencesWith(
  t: Test,
  strategy: BatchStrategy,
): Promise<{ sequences: LlamaContextSequence[]; prompts: Token[][] }> {
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error })
  t.teardown(async () => await llama.dispose())
  const model = await llama.loadModel({ modelPath: TINY_MODEL_PATH })
  const context = await model.createContext({
    sequences: TEXTS.length,
    contextSize: 256,
    batchSize: 128,
    threads: 1,
    batching: { itemPrioritizationStrategy: strategy.prioritize },
  })
  const sequences = TEXTS.map(() => context.getSequence())
  await strategy.choose(sequences, model.tokenize('Once upon a time'))
  return { sequences, prompts: TEXTS.map((text) => model.tokenize(text)) }
}

test('should keep every probability as it is alone, to the last bit, when answers run side by side', async (t) => {
  const { sequences, prompts } = await sequencesWith(t, new BatchStrategy())
  const answer = async (sequence: LlamaContextSequence, index: number) =>
    await likelihoods(sequence, prompts[index] ?? [])
  const alone: string[][] = []
  for (const [index, sequence] of sequences.entries()) alone.push(await answer(sequence, index))
  t.alike(await Promise.all(sequences.map(answer)), alone)
})

test('should leave the sequences empty when it has chosen', async (t) => {
  const { sequences } = await sequencesWith(t, new BatchStrategy())
  t.alike(
    sequences.map(({ nextTokenIndex }) => nextTokenIndex),
    TEXTS.map(() => 0),
  )
})
