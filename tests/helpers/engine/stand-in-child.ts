import { writeSync } from 'node:fs'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import {
  LlamaRequests,
  type RequestRuntime,
} from '../../../facilities/engine/llama/child/llama-requests.js'
import { type FromChild, toChildSchema } from '../../../facilities/engine/llama/llama-messages.js'
import { UNWATCHED } from '../../../facilities/engine/llama/request-watch.js'
import { StepRecorder } from '../../../facilities/engine/llama/step-record.js'

// Takes the place of the process with llama.cpp and starts in a tenth of its time. Each token of an answer is
// the whole prompt. Some prompts make it hang or exit, as llama.cpp might. Each line that it writes says
// that it has sent a message.

let choosing = 0

async function notSupported(): Promise<never> {
  throw new Error('The stand-in cannot do this')
}

const runtime: RequestRuntime = {
  get progress() {
    return { done: 0, tokens: choosing }
  },
  async *generate({ messages, options }, signal, watch = UNWATCHED) {
    const { content } = messages[0] ?? { content: '' }
    if (content === 'a schema that gets stuck') {
      choosing += 1
      watch.choosing()
      await new Promise(() => undefined)
    }
    await watch.during('prompt', () => {
      if (!content.startsWith('a template that')) return
      writeSync(1, 'stuck\n')
      if (content.endsWith('aborts')) process.abort()
      for (;;);
    })
    const { maxTokens = 1 } = options
    for (let index = 0; index < maxTokens; index += 1) {
      signal.throwIfAborted()
      yield { text: content, tokenId: 1, index }
    }
    const timings = { promptMs: 1, generationMs: 1 }
    const counts = { promptTokens: 1, cachedTokens: 0, completionTokens: maxTokens }
    return { finishReason: 'length' as const, ...counts, timings }
  },
  tokenize: () => [],
  detokenize: () => '',
  applyTemplate: () => ({ text: '', tokens: [] }),
  embed: notSupported,
}

async function send(message: FromChild): Promise<void> {
  await new Promise((resolve) => process.send?.(message, undefined, undefined, resolve))
}

const requests = new LlamaRequests(runtime, (message) => void send(message), {
  clock: new SystemClock(),
  steps: new StepRecorder(),
  gatherMs: 8,
})

// The parent decides when this process exits, as with llama.cpp.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined)

process.on('message', async (raw) => {
  const message = toChildSchema.parse(raw)
  if (message.kind === 'prepare') await send({ kind: 'prepared', memoryBytes: 1 })
  if (message.kind === 'load') {
    await send({
      kind: 'loaded',
      ...{ name: 'stand-in', sha256: '', fingerprint: '', reproducibility: 'none' },
      ...{ capabilities: ['chat'], contextTokens: 100, slots: 4, memoryBytes: 1, tokenMs: 1 },
    })
  }
  if (message.kind === 'generate') requests.start(message)
  if (message.kind === 'credit') requests.grant(message.id, message.tokens)
  if (message.kind === 'cancel') requests.cancel(message.id)
  if (message.kind === 'close') process.exit(0)
  if (message.kind === 'ping') {
    await send({ kind: 'pong', work: requests.work })
    writeSync(1, 'answered\n')
  }
})
process.on('disconnect', () => process.exit(0))
