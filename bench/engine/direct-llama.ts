import { getLlama, type LlamaContextSequence, LlamaLogLevel, type LlamaModel } from 'node-llama-cpp'

const REPEAT_PENALTY = 1.1
const PENALTY_WINDOW_TOKENS = 64

/** node-llama-cpp as somebody would use it who has nothing else: the raw side of the comparisons. */
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

  /** Answers a prompt greedily, token by token, with the same penalty as an engine by default. */
  async *generate(
    slot: number,
    prompt: readonly number[],
    maxTokens: number,
  ): AsyncGenerator<string> {
    const sequence = this.#sequences[slot]
    if (sequence === undefined) throw new Error(`there is no slot ${slot}`)
    await sequence.clearHistory()
    const recent: ReturnType<LlamaModel['tokenize']> = []
    const tokens = sequence.evaluate(prompt as ReturnType<LlamaModel['tokenize']>, {
      temperature: 0,
      repeatPenalty: { penalty: REPEAT_PENALTY, punishTokens: () => recent },
    })
    let count = 0
    for await (const token of tokens) {
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
