import { readFileSync } from 'node:fs'
import { getLlama, LlamaLogLevel } from 'node-llama-cpp'

/** The most prompt tokens that the engine evaluates at once. */
const CHUNK_TOKENS = 63

const PROMPT_TOKENS = 256

// Loads a model as the engine does, fills a part of every slot, and prints the most memory that the
// process had: node model-memory-child.js PATH SLOTS CONTEXT_TOKENS
const [path = '', slots = '1', contextTokens = '256'] = process.argv.slice(2)
const llama = await getLlama({
  gpu: false,
  build: 'never',
  skipDownload: true,
  progressLogs: false,
  maxThreads: 1,
  logLevel: LlamaLogLevel.disabled,
})
const model = await llama.loadModel({ modelPath: path })
const context = await model.createContext({
  sequences: Number(slots),
  contextSize: Math.min(Number(contextTokens), model.trainContextSize),
  batchSize: Number(slots) * CHUNK_TOKENS,
  threads: 1,
})
const text = 'Once upon a time there was a girl who lived in a house. '.repeat(PROMPT_TOKENS)
const prompt = model.tokenize(text).slice(0, Math.min(PROMPT_TOKENS, context.contextSize - 8))
await Promise.all(
  Array.from({ length: Number(slots) }, async () => {
    const sequence = context.getSequence()
    for (let start = 0; start < prompt.length; start += CHUNK_TOKENS) {
      await sequence.evaluateWithoutGeneratingNewTokens(prompt.slice(start, start + CHUNK_TOKENS))
    }
    await sequence.evaluate(prompt.slice(0, 1), { temperature: 0.7, topK: 40 }).next()
  }),
)
// In KiB. getrusage never reports less than the parent process had in use.
const [, peakKilobytes] =
  /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
process.stdout.write(String(Number(peakKilobytes) * 1024))
process.exit()
