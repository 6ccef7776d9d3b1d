import test from 'brittle'
import { tokenSchema } from '../../../../../helpers/protocol/generation.js'
import {
  OpenaiChatAnswer,
  openaiChunkSchema,
} from '../../../../../helpers/upstream/openai/chat-answer.js'

const TIMINGS = { promptMs: 1, generationMs: 2 }

function take(answer: OpenaiChatAnswer, choice: object) {
  return answer.take(openaiChunkSchema.parse({ choices: [choice] }))
}

test('should bring a token for each log-probability when several come at once', (t) => {
  const answer = new OpenaiChatAnswer(1, 2)
  const top_logprobs = [
    { token: 'b', logprob: -2, id: 9 },
    { token: 'a', logprob: -0.5 },
    { token: 'c', logprob: -3 },
  ]
  const content = [
    { token: 'Hel', logprob: -0.25, id: 5, top_logprobs },
    { token: 'lo', logprob: 0.000001 },
  ]
  const tokens = take(answer, { delta: { content: 'Hello' }, logprobs: { content } })
  t.alike(tokens, [
    {
      tokenId: 5,
      text: 'Hel',
      logprob: -0.25,
      topLogprobs: [
        { tokenId: null, text: 'a', logprob: -0.5 },
        { tokenId: 9, text: 'b', logprob: -2 },
      ],
      index: 0,
    },
    { tokenId: null, text: 'lo', logprob: 0, topLogprobs: [], index: 1 },
  ])
  t.ok(tokens.every((token) => tokenSchema.safeParse(token).success))
  const halves = [
    { token: '\ufffd', logprob: -1 },
    { token: '\ufffd', logprob: -1 },
  ]
  const joined = take(answer, { delta: { content: '🙂' }, logprobs: { content: halves } })
  t.alike(
    joined.map(({ text, index }) => [text, index]),
    [
      ['', 2],
      ['🙂', 3],
    ],
  )
})

test('should put a call together from its parts, whatever the server leaves out', (t) => {
  const answer = new OpenaiChatAnswer(3, undefined)
  const part = (fields: object) => take(answer, { delta: { tool_calls: [fields] } })
  part({ index: 0, id: 'a', type: 'function', function: { name: 'one', arguments: '' } })
  part({ index: 1, function: { name: 'two', arguments: '{"x"' } })
  part({ index: 0, function: { arguments: '{}' } })
  part({ index: 1, id: null, function: { name: null, arguments: ':1}' } })
  take(answer, { delta: {}, finish_reason: 'stop' })
  const end = answer.end(TIMINGS)
  t.is(end.finishReason, 'tool_calls')
  t.alike(end.toolCalls, [
    { id: 'a', type: 'function', function: { name: 'one', arguments: '{}' } },
    { id: 'call_3_1', type: 'function', function: { name: 'two', arguments: '{"x":1}' } },
  ])
})

test('should refuse calls without end', (t) => {
  const answer = new OpenaiChatAnswer(1, undefined)
  const throws = (action: () => unknown) => {
    try {
      action()
      t.fail('it was taken')
    } catch (error) {
      t.ok(error instanceof RangeError)
    }
  }
  throws(() => {
    for (let index = 0; index < 200; index++) {
      take(answer, { delta: { tool_calls: [{ index, function: { name: 'x' } }] } })
    }
  })
  const long = { index: 0, function: { arguments: 'x'.repeat(40_000) } }
  throws(() => {
    for (let part = 0; part < 3; part++) take(answer, { delta: { tool_calls: [long] } })
  })
})

test('should count what it delivered when the server does not count', (t) => {
  const answer = new OpenaiChatAnswer(1, undefined)
  take(answer, { delta: { content: 'a' } })
  take(answer, { delta: { content: 'b'.repeat(20_000) } })
  t.absent(answer.hasEnded)
  take(answer, { delta: {}, finish_reason: 'content_filter' })
  t.ok(answer.hasEnded)
  t.alike(answer.end(TIMINGS), {
    finishReason: 'stop',
    promptTokens: 0,
    cachedTokens: 0,
    completionTokens: 4,
    timings: TIMINGS,
  })
})

test('should separate a thought from the answer under each field name of the servers', (t) => {
  for (const name of ['reasoning_content', 'reasoning']) {
    const answer = new OpenaiChatAnswer(1, undefined)
    const tokens = [
      ...take(answer, { delta: { role: 'assistant', content: '' } }),
      ...take(answer, { delta: { [name]: 'Hm.' } }),
      ...take(answer, { delta: { content: 'Yes' } }),
      ...take(answer, { delta: {}, finish_reason: 'stop' }),
    ]
    t.alike(tokens, [
      { kind: 'thought', text: 'Hm.', tokenId: null, index: 0 },
      { text: 'Yes', tokenId: null, index: 1 },
    ])
    t.is(answer.end(TIMINGS).thoughtTokens, 1)
  }
})

test('should find a thought in the text when the server does not separate it', (t) => {
  const answer = new OpenaiChatAnswer(1, 0)
  const content = [
    { token: '<think>', logprob: -1 },
    { token: 'Hm.</th', logprob: -2 },
    { token: 'ink>Yes', logprob: -3 },
  ]
  const text = content.map(({ token }) => token).join('')
  const tokens = take(answer, { delta: { content: text }, logprobs: { content } })
  t.alike(
    tokens.map(({ kind, text: said, logprob }) => [kind, said, logprob]),
    [
      [undefined, '', -1],
      ['thought', 'Hm.', -2],
      [undefined, 'Yes', -3],
    ],
  )
  const plain = new OpenaiChatAnswer(1, undefined)
  t.alike(
    take(plain, { delta: { content: '<thin ' } }).map((token) => token.text),
    ['<thin '],
  )
  take(plain, { delta: { content: '<' } })
  t.is(new OpenaiChatAnswer(1, undefined).end(TIMINGS).thoughtTokens, undefined)
})

test('should bring what it held back when the server ends the answer', (t) => {
  const answer = new OpenaiChatAnswer(1, undefined)
  t.alike(take(answer, { delta: { content: '<th' } }), [])
  const rest = take(answer, { delta: {}, finish_reason: 'stop' })
  t.alike(rest, [{ text: '<th', tokenId: null, index: 0 }])
})

test('should count as thought what the server counted', (t) => {
  const answer = new OpenaiChatAnswer(1, undefined)
  take(answer, { delta: { content: 'Yes' }, finish_reason: 'stop' })
  answer.take(
    openaiChunkSchema.parse({
      usage: {
        prompt_tokens: 3,
        completion_tokens: 40,
        completion_tokens_details: { reasoning_tokens: 38 },
      },
    }),
  )
  t.is(answer.end(TIMINGS).thoughtTokens, 38)
})
