import type { Question } from './ask.js'
import type { ClientTools } from './run-client.js'

/**
 * Asks and writes the answer out as it comes.
 *
 * @returns the whole answer
 * @throws StarlingError as the client's ask
 */
export async function streamAnswer(
  { client, output, signal }: ClientTools,
  question: Question,
): Promise<string> {
  let content = ''
  const tokens = client.ask(question, signal)
  for (;;) {
    const step = await tokens.next()
    if (step.done) {
      output.line('', { type: 'end', ...step.value })
      return content
    }
    content += step.value.text
    await output.piece(step.value.text, { type: 'token', ...step.value })
  }
}
