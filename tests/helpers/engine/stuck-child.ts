import { writeSync } from 'node:fs'
import {
  type FromChild,
  type GenerateMessage,
  toChildSchema,
} from '../../../facilities/engine/llama/llama-messages.js'
import { StepRecorder } from '../../../facilities/engine/llama/step-record.js'

// Takes the place of the process with llama.cpp, and gets stuck as llama.cpp might: by what it is asked.
// Each line that it writes says that a message is on its way.

const recorder = new StepRecorder()
const choosing: { request: number; index: number }[] = []

async function send(message: FromChild): Promise<void> {
  await new Promise((resolve) => process.send?.(message, undefined, undefined, resolve))
}

async function answer({ id, messages, options }: GenerateMessage): Promise<void> {
  const [{ content } = { content: '' }] = messages
  if (content === 'a schema that gets stuck') {
    choosing.push({ request: id, index: 0 })
  } else if (content.startsWith('a template that')) {
    recorder.write({ request: id, step: 'prompt' })
    writeSync(1, 'stuck\n')
    if (content.endsWith('aborts')) process.abort()
    for (;;);
  } else {
    const token = { text: content, tokenId: 1, index: 0 }
    await send({ kind: 'tokens', tokens: [{ id, token }] })
    if (options.maxTokens !== 1) return
    const timings = { promptMs: 1, generationMs: 1 }
    const counts = { promptTokens: 1, cachedTokens: 0, completionTokens: 1 }
    await send({ kind: 'end', id, end: { finishReason: 'length', ...counts, timings } })
  }
}

process.on('message', async (raw) => {
  const message = toChildSchema.parse(raw)
  if (message.kind === 'prepare') await send({ kind: 'prepared', memoryBytes: 1 })
  if (message.kind === 'load') {
    await send({
      kind: 'loaded',
      ...{ name: 'stuck', sha256: '', fingerprint: '', reproducibility: 'none' },
      ...{ capabilities: ['chat'], contextTokens: 100, slots: 4, memoryBytes: 1, tokenMs: 1 },
    })
  }
  if (message.kind === 'generate') await answer(message)
  if (message.kind === 'close') process.exit(0)
  if (message.kind === 'ping') {
    await send({ kind: 'pong', work: { done: 0, tokens: choosing.length, choosing } })
    writeSync(1, 'answered\n')
  }
})
process.on('disconnect', () => process.exit(0))
