import { getLlama, LlamaLogLevel, type LlamaModel } from 'node-llama-cpp'

/** What the child is to load. */
export interface LoadOrder {
  readonly path: string
}

/** The outcome: null, or the error of llama.cpp or of node-llama-cpp. */
export interface LoadOutcome {
  readonly path: string
  readonly failure: string | null
}

const CONTEXT_TOKENS = 32

// A process that may crash: it loads one model after the other as the engine does, asks each for a few
// tokens or a vector, and frees it again.
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  progressLogs: false,
  maxThreads: 1,
  logLevel: LlamaLogLevel.disabled,
})
let last = Promise.resolve()

process.on('message', ({ path }: LoadOrder) => {
  last = last.then(async () => {
    const outcome: LoadOutcome = { path, failure: await load(path) }
    process.send?.(outcome)
  })
})
process.on('disconnect', () => process.exit())
process.send?.({ path: '', failure: null } satisfies LoadOutcome)

async function load(path: string): Promise<string | null> {
  let model: LlamaModel | null = null
  try {
    model = await llama.loadModel({ modelPath: path, gpuLayers: 0 })
    await use(model)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await model?.dispose()
  }
}

async function use(model: LlamaModel): Promise<void> {
  const tokens = model.tokenize('a b once\n é🙂')
  model.detokenize(tokens)
  const contextSize = Math.min(CONTEXT_TOKENS, model.trainContextSize)
  if (model.fileInfo.metadata.general.architecture.includes('bert')) {
    const context = await model.createEmbeddingContext({ contextSize, threads: 1 })
    await context.getEmbeddingFor(tokens.slice(0, 4))
    return
  }
  const context = await model.createContext({
    contextSize,
    sequences: 2,
    batchSize: 2 * CONTEXT_TOKENS,
    threads: 1,
  })
  const sequence = context.getSequence()
  const prompt = tokens.slice(0, 4)
  let left = 2
  for await (const token of sequence.evaluate(prompt, { temperature: 0.8, topK: 20, seed: 1 })) {
    model.detokenize([token])
    if (--left === 0) break
  }
}
