import type { ClientTools } from './run-client.js'
import { streamAnswer } from './stream-answer.js'

/** Asks one question and streams the answer. */
export async function askOnce(
  tools: ClientTools,
  { model }: { model?: string },
  [content = '']: readonly string[],
): Promise<undefined> {
  await streamAnswer(tools, { messages: [{ role: 'user', content }], model })
}
