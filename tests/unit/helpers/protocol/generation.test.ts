import test from 'brittle'
import { conversationSchema } from '../../../../helpers/protocol/chat-message.js'
import { generationOptionsSchema } from '../../../../helpers/protocol/generation-options.js'
import { PROTOCOL_LIMITS } from '../../../../helpers/protocol/limits.js'

const says = (content: string) => ({ role: 'user', content })

test('should accept a conversation when it is as large as allowed', (t) => {
  const half = 'x'.repeat(PROTOCOL_LIMITS.promptBytes / 2)
  t.ok(conversationSchema.safeParse([says(half), says(half)]).success)
  const many = Array.from({ length: PROTOCOL_LIMITS.promptMessages }, () => says('x'))
  t.ok(conversationSchema.safeParse(many).success)
})

test('should refuse a conversation when it is empty, blank or too large', (t) => {
  const half = 'x'.repeat(PROTOCOL_LIMITS.promptBytes / 2)
  const many = Array.from({ length: PROTOCOL_LIMITS.promptMessages + 1 }, () => says('x'))
  const wrong = [
    [],
    [says(' \n\t')],
    [says('x'.repeat(PROTOCOL_LIMITS.promptBytes)), says('x')],
    [says('ž'.repeat(PROTOCOL_LIMITS.promptBytes / 2 + 1))],
    many,
    [says('x'), { role: 'assistant', content: '', reasoning: half + half }],
    [{ role: 'admin', content: 'x' }],
    [{ ...says('x'), name: 'x' }],
  ]
  for (const messages of wrong) t.absent(conversationSchema.safeParse(messages).success)
})

test('should leave everything open that depends on the model when no options are given', (t) => {
  const options = generationOptionsSchema.parse({})
  t.alike(options, { stop: [], logitBias: {} })
  t.alike(generationOptionsSchema.parse(options), options, 'its defaults are within its own bounds')
})

test('should refuse options when they are out of bounds or unknown', (t) => {
  const wrong = [
    { maxTokens: 0 },
    { maxTokens: 1.5 },
    { maxTokens: 32_769 },
    { temperature: -0.1 },
    { temperature: 2.1 },
    { topP: 0 },
    { topP: 1.1 },
    { topK: -1 },
    { repeatPenalty: -1 },
    { seed: -1 },
    { seed: 2 ** 32 },
    { temprature: 1 },
  ]
  for (const options of wrong) {
    t.absent(generationOptionsSchema.safeParse(options).success, JSON.stringify(options))
  }
})
