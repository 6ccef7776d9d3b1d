import type { AnswerEnd, Question } from './ask.js'
import type { ClientTools } from './run-client.js'

/**
 * Asks and writes the answer out as it comes, and after it how fast it came.
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
      const { value: end } = step
      output.line('', { type: 'end', ...end, tokensPerSecond: tokensPerSecond(end) })
      output.detail(describeEnd(end))
      return content
    }
    content += step.value.text
    await output.piece(step.value.text, { type: 'token', ...step.value }, signal)
  }
}

function describeEnd(end: AnswerEnd): string {
  const rate = tokensPerSecond(end)
  return [
    `${end.completionTokens} ${end.completionTokens === 1 ? 'token' : 'tokens'}`,
    ...(rate === undefined ? [] : [`${rate.toFixed(1)} tokens/s`]),
    end.model,
    ...(end.finishReason === 'length' ? ['cut off at its longest'] : []),
  ].join(', ')
}

/** How fast the model wrote, as its processor measured it; undefined when that was too short. */
function tokensPerSecond({ completionTokens, timings }: AnswerEnd): number | undefined {
  if (completionTokens < 2 || timings.generationMs <= 0) return undefined
  return Math.round((completionTokens / timings.generationMs) * 10_000) / 10
}
