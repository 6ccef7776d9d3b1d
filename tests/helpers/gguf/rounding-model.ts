import type { Test } from 'brittle'
import {
  type BatchItem,
  getLlama,
  type Llama,
  type LlamaContext,
  type LlamaContextSequence,
  LlamaLogLevel,
  type LlamaModel,
} from 'node-llama-cpp'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { LlamaChat } from '../../../facilities/engine/llama/child/generation/llama-chat.js'
import { LlamaTokenizer } from '../../../facilities/engine/llama/child/model/llama-tokenizer.js'
import { NativeWork } from '../../../facilities/engine/llama/child/model/native-work.js'
import { MAX_CHUNK_TOKENS, PrefillPace } from '../../../helpers/generation/prefill-pace.js'
import { TINY_MODEL_PATH } from '../engine/tiny-llama.js'

/** What the logits of a model depend on besides the preceding tokens. */
export interface Rounding {
  /** On how many other evaluations were in the same batch. */
  readonly neighbours?: boolean
  /** On how many tokens were evaluated at once. */
  readonly chunks?: boolean
}

/** A running evaluation of one sequence. */
interface Evaluation {
  readonly tokens: readonly number[]
  /** Evaluations in its batch, itself included. */
  batchSize: number
}

/** As small as a rounding error, but far larger than the last bit of a float. */
const ROUNDING_STEP = 2 ** -10

/** llama.cpp and a model, for tests that use node-llama-cpp itself. */
export async function loadNative(
  t: Test,
  modelPath: string,
): Promise<{ readonly llama: Llama; readonly model: LlamaModel }> {
  const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error })
  t.teardown(async () => await llama.dispose())
  return { llama, model: await llama.loadModel({ modelPath }) }
}

/**
 * The same model with logits rounded as the test says. Whether a processor rounds f16 weights
 * differently for other batch sizes depends on its instructions: with AVX512-FP16 it does not.
 */
export function roundingModel(model: LlamaModel, rounding: Rounding): LlamaModel {
  return standIn(model, {
    createContext: async (options = {}) => {
      const underWay = new Set<Evaluation>()
      const prioritize = options.batching?.itemPrioritizationStrategy
      if (typeof prioritize !== 'function') throw new Error('a strategy is needed')
      const context = await model.createContext({
        ...options,
        batching: {
          itemPrioritizationStrategy(waiting) {
            const chosen = prioritize(waiting)
            for (const { item } of chosen) markBatch(underWay, item, chosen.length)
            return chosen
          },
        },
      })
      return roundingContext(context, underWay, rounding)
    },
  })
}

/** The tiny model with one slot and logits rounded as the test says. */
export async function roundingChat(t: Test, rounding: Rounding): Promise<LlamaChat> {
  const { llama, model } = await loadNative(t, TINY_MODEL_PATH)
  return await LlamaChat.create({
    ...{ llama, model: roundingModel(model, rounding), tokenizer: new LlamaTokenizer(model) },
    ...{ slots: 1, contextTokens: 256, threads: 1 },
    work: new NativeWork(),
    pace: new PrefillPace({ maxStallMs: 50, mostTokens: MAX_CHUNK_TOKENS }),
    clock: new SystemClock(),
    onLog: () => undefined,
  })
}

function markBatch(underWay: ReadonlySet<Evaluation>, item: BatchItem, batchSize: number): void {
  for (const evaluation of underWay) {
    if (String(evaluation.tokens) === String(item.tokens)) evaluation.batchSize = batchSize
  }
}

function roundingContext(
  context: LlamaContext,
  underWay: Set<Evaluation>,
  rounding: Rounding,
): LlamaContext {
  return standIn(context, {
    getSequence: (options) => roundingSequence(context.getSequence(options), underWay, rounding),
  })
}

function roundingSequence(
  sequence: LlamaContextSequence,
  underWay: Set<Evaluation>,
  rounding: Rounding,
): LlamaContextSequence {
  /** How each cached token of the sequence was evaluated. */
  const marks: number[] = []
  const evaluated = async <Result>(tokens: readonly number[], evaluate: () => Promise<Result>) => {
    marks.length = sequence.nextTokenIndex
    const evaluation: Evaluation = { tokens, batchSize: 1 }
    underWay.add(evaluation)
    const result = await evaluate().finally(() => underWay.delete(evaluation))
    const neighbours = rounding.neighbours ? evaluation.batchSize : 0
    const chunk = rounding.chunks ? tokens.length : 0
    for (const _ of tokens) marks.push(neighbours + chunk)
    return result
  }
  return standIn(sequence, {
    evaluateWithoutGeneratingNewTokens: async (tokens, options) =>
      await evaluated(tokens, () => sequence.evaluateWithoutGeneratingNewTokens(tokens, options)),
    controlledEvaluate: async (input, options) => {
      const tokens = input.map((item) => (Array.isArray(item) ? item[0] : item))
      const outputs = await evaluated(tokens, () => sequence.controlledEvaluate(input, options))
      const rounded = marks.reduce((sum, mark) => sum + mark, 0) * ROUNDING_STEP
      for (const output of outputs) {
        const { next } = output ?? {}
        if (next?.totalLogitWeight !== undefined) next.totalLogitWeight += rounded
      }
      return outputs
    },
  })
}

/** The object with some of its methods replaced. */
function standIn<Target extends object>(target: Target, methods: Partial<Target>): Target {
  return new Proxy(target, {
    get(_, property) {
      const value: unknown = Reflect.get(methods, property) ?? Reflect.get(target, property, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
