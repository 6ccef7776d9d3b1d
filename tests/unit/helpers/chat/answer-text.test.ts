import test from 'brittle'
import { AnswerText, type AnswerTextOptions } from '../../../../helpers/chat/answer-text.js'
import type { Token } from '../../../../helpers/protocol/generation.js'

const bytes = (tokens: readonly number[]) => Buffer.from(tokens).toString('utf8')

/** Of a vocabulary whose tokens are the given texts. */
function answerOf(pieces: readonly string[], options: Partial<AnswerTextOptions>) {
  const text = new AnswerText({
    decode: (tokens) => tokens.map((token) => pieces[token] ?? '').join(''),
    ...{ preceding: [], stop: [], isJson: false, tools: null, delivered: 0 },
    ...options,
  })
  const steps: string[][] = []
  for (const tokenId of pieces.keys()) {
    if (text.isEnded) break
    steps.push(text.push({ tokenId }).map((token) => token.text))
  }
  steps.push(text.end().map((token) => token.text))
  return { steps, text }
}

test('should hold tokens back only while a stop string may have begun', (t) => {
  const { steps } = answerOf(['x', 'a', 'b', 'y'], { stop: ['abc'] })
  t.alike(steps, [['x'], [], [], ['a', 'b', 'y'], []])
})

test('should cut the token in which a stop string begins, and drop those within it', (t) => {
  const { steps, text } = answerOf(['x', 'ya', 'b', 'cz', 'never'], { stop: ['abc'] })
  t.alike(steps, [['x'], [], [], ['y'], []])
  t.ok(text.isEnded)
})

test('should drop the tokens of a character when it begins a stop string', (t) => {
  const text = new AnswerText({
    decode: bytes,
    ...{ preceding: [], stop: ['€!'], isJson: false, tools: null, delivered: 0 },
  })
  const delivered: Token[] = []
  for (const tokenId of Buffer.from('a€!')) delivered.push(...text.push({ tokenId }))
  t.alike(
    delivered.map((token) => token.text),
    ['a'],
  )
})

test('should bring what is left of a character with the last token', (t) => {
  const text = new AnswerText({
    decode: bytes,
    ...{ preceding: [], stop: [], isJson: false, tools: null, delivered: 0 },
  })
  t.is(text.push({ tokenId: 0x61 }).length, 1)
  t.is(text.push({ tokenId: 0xe2 }).length, 0)
  t.alike(text.end(), [{ text: '\uFFFD', index: 1, tokenId: 0xe2 }])
})

test('should end with the JSON value and leave out what comes after it', (t) => {
  const { steps, text } = answerOf([' {"a"', ': [1, "}"]', '}\n\n', 'never'], { isJson: true })
  t.alike(steps, [[' {"a"'], [': [1, "}"]'], ['}'], []])
  t.ok(text.isEnded)
})

test('should keep the log-probabilities with their tokens', (t) => {
  const text = new AnswerText({
    decode: bytes,
    ...{ preceding: [], stop: ['b'], isJson: false, tools: null, delivered: 0 },
  })
  const topLogprobs = [{ tokenId: 0x61, text: 'a', logprob: -0.5 }]
  const [token] = text.push({ tokenId: 0x61, logprob: -0.5, topLogprobs })
  t.alike(token, { text: 'a', index: 0, tokenId: 0x61, logprob: -0.5, topLogprobs })
})

test('should take calls out of the text, and let their tokens go with none', (t) => {
  const pieces = ['Yes.', '<tool', '_call>', '{"name":"f"}', '</tool_call>', '\n']
  const { steps, text } = answerOf(pieces, {
    tools: {
      syntax: { opening: '<tool_call>', closing: '</tool_call>' },
      ...{ marks: new Map(), salt: 's' },
    },
  })
  t.alike(steps, [['Yes.'], [], [''], [''], ['', ''], [], ['']])
  t.alike(
    text.toolCalls.map((call) => call.function),
    [{ name: 'f', arguments: '{}' }],
  )
})

test('should bring what looked like a call with the last token when the answer ends in it', (t) => {
  const { steps, text } = answerOf(['a', '<tool_call>', '{"name"'], {
    tools: {
      syntax: { opening: '<tool_call>', closing: '</tool_call>' },
      ...{ marks: new Map(), salt: 's' },
    },
  })
  t.alike(steps, [['a'], [], [''], ['<tool_call>{"name"']])
  t.is(text.toolCalls.length, 0)
})

test('should read marks that have no text of their own', (t) => {
  const { text } = answerOf(['', '[{"name":"f","arguments":{"x":1}}]'], {
    tools: {
      syntax: { opening: '[TOOL_CALLS]', closing: null },
      marks: new Map([[0, '[TOOL_CALLS]']]),
      salt: 's',
    },
  })
  t.is(text.toolCalls[0]?.function.arguments, '{"x":1}')
})
