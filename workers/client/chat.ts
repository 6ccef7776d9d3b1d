import { createInterface } from 'node:readline/promises'
import type { ChatMessage } from '../../helpers/protocol/generation.js'
import type { ClientTools } from './run-client.js'
import { streamAnswer } from './stream-answer.js'

/** Takes prompts line by line and streams the answers, keeping the conversation, until the input ends. */
export async function chat(tools: ClientTools, flags: { model?: string }): Promise<void> {
  const { output, signal } = tools
  const { stdin: input, stdout } = process
  const lines = createInterface({ input, output: stdout, prompt: '> ', terminal: input.isTTY })
  const stop = () => lines.close()
  lines.on('SIGINT', stop)
  signal.addEventListener('abort', stop, { once: true })
  const messages: ChatMessage[] = []
  if (input.isTTY) lines.prompt()
  for await (const line of lines) {
    if (line.trim() !== '') {
      messages.push({ role: 'user', content: line })
      try {
        const content = await streamAnswer(tools, { messages, model: flags.model })
        messages.push({ role: 'assistant', content })
      } catch (error) {
        messages.pop()
        if (signal.aborted) break
        output.failure(error)
      }
    }
    if (input.isTTY) lines.prompt()
  }
}
