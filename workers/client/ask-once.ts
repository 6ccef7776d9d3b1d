import { readPrompt, STANDARD_INPUT } from './read-prompt.js'
import type { ClientTools } from './run-client.js'
import { streamAnswer } from './stream-answer.js'

/** Asks one question and streams the answer. */
export async function askOnce(
  tools: ClientTools,
  { model }: { model?: string },
  [question = '']: readonly string[],
): Promise<undefined> {
  const { terminal, signal } = tools
  const content = question === STANDARD_INPUT ? await readPrompt(terminal.input, signal) : question
  await streamAnswer(tools, { messages: [{ role: 'user', content }], model })
}
