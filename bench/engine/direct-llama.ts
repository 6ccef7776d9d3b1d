import { getLlama, type LlamaContextSequence, LlamaLogLevel, type LlamaModel } from 'node-llama-cpp'
import { REPEAT_PENALTY } from '../answer-options.js'

const PENALTY_WINDOW_TOKENS = 64

/** node-llama-cpp without Starling: the baseline of the comparisons. */
export class DirectLlama {
  readonly #model: LlamaModel
  readonly #sequences: readonly LlamaContextSequence[]
  readonly #close: () => Promise<void>

  private constructor(
    model: LlamaModel,
    sequences: readonly LlamaContextSequence[],
    close: () => Promise<void>,
  ) {
    this.#model = model
    this.#sequences = sequences
    this.#close = close
  }

  static async load(modelPath: string, slots: number, contextTokens: number): Promise<DirectLlama> {
    const llama = await getLlama({
      gpu: 'auto',
      build: 'never',
      logLevel: LlamaLogLevel.error,
      maxThreads: 1,
    })
    const model = await llama.loadModel({ modelPath })
    const context = await model.createContext({
      sequences: slots,
      contextSize: contextTokens,
      threads: 1,
    })
    const sequences = Array.from({ length: slots }, () => context.getSequence())
    return new DirectLlama(model, sequences, () => llama.dispose())
  }

  /**
   * Answers a prompt with greedy sampling and the same repeat penalty as Starling. A prefix that the previous
   * prompt of the slot had is not evaluated again.
   */
  async *generate(
    slot: number,
    prompt: readonly number[],
    maxTokens: number,
  ): AsyncGenerator<string> {
    const sequence = this.#sequences[slot]
    if (sequence === undefined) throw new Error(`There is no slot ${slot}`)
    const tokens = prompt as ReturnType<LlamaModel['tokenize']>
    // Keeps the known prefix. The last token is always evaluated, to sample the next one.
    await sequence.adaptStateToTokens(tokens.slice(0, -1), false)
    const recent: ReturnType<LlamaModel['tokenize']> = []
    const chosen = sequence.evaluate(tokens.slice(sequence.nextTokenIndex), {
      temperature: 0,
      repeatPenalty: { penalty: REPEAT_PENALTY, punishTokens: () => recent },
    })
    let count = 0
    for await (const token of chosen) {
      recent.push(token)
      if (recent.length > PENALTY_WINDOW_TOKENS) recent.shift()
      yield this.#model.detokenize([token])
      count += 1
      if (count >= maxTokens) break
    }
  }

  async close(): Promise<void> {
    await this.#close()
  }
}
