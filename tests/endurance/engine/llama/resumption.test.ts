import test from 'brittle'
import type { GenerationOptionsInput } from '../../../../helpers/protocol/generation-options.js'
import {
  ask,
  defaultModelPath,
  loadRuntime,
  type RuntimeAnswer,
} from '../../../helpers/engine/loaded-runtime.js'
import { scaled } from '../../../helpers/scale.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'

/** How many resume points are tried. */
const POINTS = scaled(1_000)

/** Tokens that a resumed answer is compared for, at most: the rest depends on them alone. */
const COMPARED_TOKENS = 12

/** Of an answer that is not resumed. */
const MAX_TOKENS = 60

const QUESTIONS = ['Tell me about the sea.', '请介绍一下北京。', 'Write a short poem with emoji.']

const KINDS: Record<string, GenerationOptionsInput> = {
  greedy: { repeatPenalty: 1 },
  'greedy with penalties': {
    repeatPenalty: 1.2,
    presencePenalty: 0.4,
    frequencyPenalty: 0.2,
    dryMultiplier: 0.8,
  },
  seeded: { temperature: 0.9, topP: 0.95, topK: 50, minP: 0.02, seed: 12_345 },
  'seeded with penalties': {
    temperature: 1.2,
    repeatPenalty: 1.1,
    presencePenalty: -0.3,
    dryMultiplier: 0.8,
    seed: 7,
  },
  'with stop strings': { temperature: 0.8, seed: 3, stop: ['\n\n\n', '。。', 'sea of'] },
}

interface Whole {
  readonly question: string
  readonly options: GenerationOptionsInput
  readonly answer: RuntimeAnswer
}

test('should continue with the same tokens when it is resumed at any token, alone and beside others', async (t) => {
  t.timeout(scaled(1_800_000))
  const runtime = await loadRuntime(t, { modelPath: await defaultModelPath(), slots: 4 })
  t.is(runtime.reproducibility, 'exact')
  const wholes: Whole[] = []
  for (const kind of Object.values(KINDS)) {
    for (const question of QUESTIONS) {
      const options = { ...kind, maxTokens: MAX_TOKENS }
      wholes.push({ question, options, answer: await ask(runtime, question, options) })
    }
  }
  const random = new SeededRandom(20_261_120)
  const differences: string[] = []
  const tryOne = async () => {
    const whole = wholes[random.below(wholes.length)]
    if (whole === undefined) throw new Error('nothing to resume')
    const at = random.below(whole.answer.ids.length + 1)
    if (!(await isSameFrom(whole, at)))
      differences.push(`${JSON.stringify(whole.options)} at ${at}`)
  }
  const isSameFrom = async ({ question, options, answer }: Whole, at: number) => {
    const maxTokens = Math.min(MAX_TOKENS, at + COMPARED_TOKENS)
    const resumeFrom = answer.ids.slice(0, at)
    const rest = await ask(runtime, question, { ...options, maxTokens }, { resumeFrom })
    // Cut off by its length, an answer lets go of what it holds back: its last texts are others.
    const isCut = rest.end.finishReason === 'length' && maxTokens < MAX_TOKENS
    const settled = isCut ? Math.max(rest.tokens.length - 4, 0) : rest.tokens.length
    const texts = ({ tokens }: RuntimeAnswer, from: number) =>
      tokens.slice(from, from + settled).map(({ text }) => text)
    return (
      rest.ids.join() === answer.ids.slice(at, at + rest.ids.length).join() &&
      texts(rest, 0).join('|') === texts(answer, at).join('|') &&
      (isCut || rest.end.finishReason === answer.end.finishReason) &&
      (isCut || at + rest.ids.length === answer.ids.length)
    )
  }
  // Several at a time, each beside others at other positions.
  for (let point = 0; point < POINTS; point += 4) {
    await Promise.all(Array.from({ length: Math.min(4, POINTS - point) }, tryOne))
  }
  t.alike(differences, [], `${POINTS} resume points`)
})
