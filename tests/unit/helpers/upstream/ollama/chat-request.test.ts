import test from 'brittle'
import type { ChatMessage } from '../../../../../helpers/protocol/chat-message.js'
import {
  type GenerationOptionsInput,
  generationOptionsSchema,
} from '../../../../../helpers/protocol/generation-options.js'
import { ollamaChatRequest } from '../../../../../helpers/upstream/ollama/chat-request.js'

const QUESTION: ChatMessage = { role: 'user', content: 'x' }

function bodyOf(
  options: GenerationOptionsInput,
  canThink = true,
  messages: readonly ChatMessage[] = [QUESTION],
) {
  const parsed = generationOptionsSchema.parse(options)
  return ollamaChatRequest({
    ...{ model: 'm', contextTokens: 4096 },
    ...{ canThink, messages, options: parsed },
  })
}

test('should send the thinking option only to models that think', (t) => {
  t.is(bodyOf({}).think, undefined, 'left to the model')
  t.is(bodyOf({ thinking: true }).think, true)
  t.is(bodyOf({ thinking: false }).think, false)
  t.is(bodyOf({ jsonSchema: {} }).think, false)
  t.is(bodyOf({ jsonSchema: {}, thinking: true }).think, true)
  t.absent('think' in bodyOf({ thinking: false }, false))
  t.absent('think' in bodyOf({ jsonSchema: {} }, false))
})

test('should leave room for a thought when the request sets no limit', (t) => {
  t.is(bodyOf({}).options.num_predict, 4096)
  t.is(bodyOf({}, false).options.num_predict, 512)
  t.is(bodyOf({ maxTokens: 9 }).options.num_predict, 9)
})

test('should send what the model thought in earlier turns', (t) => {
  const answer: ChatMessage = { role: 'assistant', content: 'Yes.', reasoning: 'Hm.' }
  const { messages } = bodyOf({}, true, [QUESTION, answer, QUESTION])
  t.alike(messages[1], { role: 'assistant', content: 'Yes.', thinking: 'Hm.' })
})
