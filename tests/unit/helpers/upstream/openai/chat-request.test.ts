import test from 'brittle'
import type { ChatMessage } from '../../../../../helpers/protocol/chat-message.js'
import {
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../../../../../helpers/protocol/generation-options.js'
import { openaiChatRequest } from '../../../../../helpers/upstream/openai/chat-request.js'

const QUESTION: ChatMessage = { role: 'user', content: 'x' }

function bodyOf(options: GenerationOptionsInput, messages: readonly ChatMessage[] = [QUESTION]) {
  return openaiChatRequest({
    ...{ model: 'm', messages },
    options: generationOptionsSchema.parse(options),
  })
}

test('should leave the length to the server unless the request limits it', (t) => {
  t.absent('max_tokens' in bodyOf({}))
  t.is(bodyOf({ maxTokens: 9 }).max_tokens, 9)
})

test('should pass the thinking option to the chat template only when the request sets it', (t) => {
  t.absent('chat_template_kwargs' in bodyOf({ jsonSchema: {} }))
  t.alike(bodyOf({ thinking: false }).chat_template_kwargs, {
    enable_thinking: false,
    thinking: false,
  })
})

test('should send what the model thought only where it goes on with it', (t) => {
  const call = { id: 'a', type: 'function' as const, function: { name: 'f', arguments: '{}' } }
  const calling: ChatMessage = {
    ...{ role: 'assistant', content: '', reasoning: 'I need f.' },
    toolCalls: [call],
  }
  const result: ChatMessage = { role: 'tool', content: '1', toolCallId: 'a' }
  const answer: ChatMessage = { role: 'assistant', content: 'Yes.', reasoning: 'Hm.' }
  const { messages } = bodyOf({}, [QUESTION, answer, QUESTION, calling, result])
  t.alike(messages[1], { role: 'assistant', content: 'Yes.' })
  t.alike(messages[3], {
    ...{ role: 'assistant', content: '', tool_calls: [call] },
    ...{ reasoning_content: 'I need f.', reasoning: 'I need f.' },
  })
})
