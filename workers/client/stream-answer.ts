import type { AnswerEnd, ChatRequest } from './chat-request.js'
import type { ClientTools } from './run-client.js'

/** The answer. */
export interface Reply {
  readonly content: string
  /** The thought before it. Omitted: none. */
  readonly reasoning?: string
}

/**
 * Sends a request, writes the answer as it arrives, and then its length and speed.
 *
 * @throws StarlingError as the client's ask
 */
export async function streamAnswer(
  { client, output, signal }: ClientTools,
  request: ChatRequest,
): Promise<Reply> {
  let content = ''
  let reasoning = ''
  const tokens = client.ask(request, signal)
  for (;;) {
    const step = await tokens.next()
    if (step.done) {
      const { value: end } = step
      output.line('', { type: 'end', ...end, tokensPerSecond: tokensPerSecond(end) })
      output.detail(describeEnd(end))
      if (end.stopReason === 'repetition') {
        output.notice('The answer was stopped early because it only repeated itself.')
      }
      if (content === '' && reasoning !== '') {
        output.notice('The model produced thoughts but no answer. More tokens may help.')
      }
      return { content, ...(reasoning !== '' && { reasoning }) }
    }
    const { kind, text } = step.value
    const fields = { type: 'token', ...step.value }
    if (kind === 'thought') {
      reasoning += text
      await output.thought(text, fields, signal)
    } else {
      content += text
      await output.piece(text, fields, signal)
    }
  }
}

function describeEnd(end: AnswerEnd): string {
  const rate = tokensPerSecond(end)
  const { thoughtTokens } = end
  return [
    `${end.completionTokens} ${end.completionTokens === 1 ? 'token' : 'tokens'}`,
    ...(thoughtTokens === undefined ? [] : [`${thoughtTokens} of them thinking`]),
    ...(rate === undefined ? [] : [`${rate.toFixed(1)} tokens/s`]),
    end.model,
    ...(end.finishReason === 'length' && end.stopReason === undefined
      ? ['cut off at the length limit']
      : []),
  ].join(', ')
}

/** The speed that the processor measured; undefined if the answer was too short to measure it. */
function tokensPerSecond({ completionTokens, timings }: AnswerEnd): number | undefined {
  if (completionTokens < 2 || timings.generationMs <= 0) return undefined
  return Math.round((completionTokens / timings.generationMs) * 10_000) / 10
}
