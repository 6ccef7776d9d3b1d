import { createInterface } from 'node:readline/promises'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { ChatMessage } from '../../helpers/protocol/generation.js'
import type { ClientTools } from './run-client.js'
import { streamAnswer } from './stream-answer.js'

/**
 * Takes prompts line by line and streams the answers, keeping the conversation. Ctrl-C ends an
 * answer, or at the prompt the chat; so does the end of the input.
 */
export async function chat(tools: ClientTools, { model }: { model?: string }): Promise<void> {
  const { stdin: input, stdout: output } = process
  const lines = createInterface({ input, output, prompt: '> ', terminal: input.isTTY })
  const messages: ChatMessage[] = []
  let answering: AbortController | null = null
  let open = true
  lines.once('close', () => {
    open = false
  })
  lines.on('SIGINT', () => {
    if (answering === null) lines.close()
    else answering.abort(new StarlingError('CANCELLED', 'The answer was ended'))
  })
  tools.signal.addEventListener('abort', () => lines.close(), { once: true })

  const prompt = () => {
    if (open && input.isTTY) lines.prompt()
  }
  prompt()
  for await (const content of lines) {
    if (content.trim() !== '') {
      answering = new AbortController()
      const signal = AbortSignal.any([tools.signal, answering.signal])
      messages.push({ role: 'user', content })
      try {
        const answer = await streamAnswer({ ...tools, signal }, { messages, model })
        messages.push({ role: 'assistant', content: answer })
      } catch (error) {
        // What was not answered is no part of the conversation.
        messages.pop()
        if (tools.signal.aborted) break
        tools.output.line('', { type: 'cancelled' })
        if (!answering.signal.aborted) tools.output.failure(error)
      }
      answering = null
    }
    prompt()
  }
  if (input.isTTY) output.write('\n')
}
