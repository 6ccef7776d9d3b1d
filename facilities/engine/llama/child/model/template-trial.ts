import { isStarlingError, StarlingError } from '../../../../../helpers/errors/starling-error.js'
import type { ChatMessage, Tool } from '../../../../../helpers/protocol/chat-message.js'
import { TimeLimitPassed } from './time-limit.js'

/** A conversation for testing a model's chat template. */
interface Trial {
  readonly messages: readonly ChatMessage[]
  readonly tools: readonly Tool[]
}

const QUESTION: ChatMessage = { role: 'user', content: 'Hello' }
const ANSWER: ChatMessage = { role: 'assistant', content: 'Hello. How can I help?' }
const SYSTEM: ChatMessage = { role: 'system', content: 'Be brief.' }
const TOOL: Tool = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}
const CALL: ChatMessage = {
  role: 'assistant',
  content: '',
  toolCalls: [
    {
      id: 'call_0',
      type: 'function',
      function: { name: 'get_weather', arguments: '{"city":"Rome"}' },
    },
  ],
}
const RESULT: ChatMessage = { role: 'tool', content: 'Sunny', toolCallId: 'call_0' }

const TRIALS: readonly Trial[] = [
  { messages: [QUESTION], tools: [] },
  { messages: [SYSTEM, QUESTION], tools: [] },
  { messages: [QUESTION, ANSWER, QUESTION, ANSWER, QUESTION], tools: [] },
  {
    messages: [SYSTEM, ...Array<ChatMessage[]>(20).fill([QUESTION, ANSWER]).flat(), QUESTION],
    tools: [],
  },
]
const TOOL_TRIALS: readonly Trial[] = [
  { messages: [SYSTEM, QUESTION], tools: [TOOL] },
  { messages: [QUESTION, CALL, RESULT], tools: [TOOL] },
]

/**
 * Tests a model's chat template with several kinds of conversation. A template may refuse some of them, but
 * it must finish.
 *
 * @param render makes the prompt of a conversation, within a time limit
 * @throws StarlingError MODEL_INVALID
 */
export function tryTemplate(
  render: (messages: readonly ChatMessage[], tools: readonly Tool[]) => unknown,
  hasTools: boolean,
): void {
  for (const { messages, tools } of [...TRIALS, ...(hasTools ? TOOL_TRIALS : [])]) {
    try {
      render(messages, tools)
    } catch (error) {
      if (!isStarlingError(error)) throw error
      if (!(error.cause instanceof TimeLimitPassed)) continue
      throw new StarlingError(
        'MODEL_INVALID',
        `The model's chat template cannot be used: with ${messages.length} messages ` +
          `${error.cause.message}`,
        { cause: error },
      )
    }
  }
}
