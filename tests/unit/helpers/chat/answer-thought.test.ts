import test from 'brittle'
import fc from 'fast-check'
import { AnswerText, type AnswerTextOptions } from '../../../../helpers/chat/answer-text.js'
import { THINK_TAGS } from '../../../../helpers/chat/thought-syntax.js'
import type { Token } from '../../../../helpers/protocol/generation.js'
import { ensure, holds } from '../../../helpers/property.js'

interface Answer {
  readonly delivered: Token[]
  readonly text: AnswerText
}

/** An answer of a vocabulary whose tokens are the given pieces. */
function answerOf(
  pieces: readonly (string | Buffer)[],
  options: Partial<AnswerTextOptions> = {},
  isOpen = false,
): Answer {
  const bytes = pieces.map((piece) => Buffer.from(piece))
  const text = new AnswerText({
    decode: (tokens) =>
      Buffer.concat(tokens.map((token) => bytes[token] ?? Buffer.alloc(0))).toString('utf8'),
    ...{ preceding: [], stop: [], isJson: false, tools: null, delivered: 0 },
    thoughts: { syntax: THINK_TAGS, marks: new Map(), isOpen },
    ...options,
  })
  const delivered: Token[] = []
  for (const tokenId of pieces.keys()) {
    if (text.isEnded) break
    delivered.push(...text.push({ tokenId }))
  }
  delivered.push(...text.end())
  return { delivered, text }
}

function said(tokens: readonly Token[], kind?: 'thought'): string {
  return tokens
    .filter((token) => token.kind === kind)
    .map(({ text }) => text)
    .join('')
}

test('should distinguish the tokens of a thought from those of the answer', (t) => {
  const { delivered, text } = answerOf(['<think>', '\n', 'Hm', '.\n', '</think>', '\n\n', 'Yes.'])
  t.alike(
    delivered.map(({ index, kind, text: piece }) => [index, kind, piece]),
    [
      [0, 'thought', ''],
      [1, 'thought', ''],
      [2, 'thought', 'Hm'],
      [3, 'thought', '.'],
      [4, 'thought', ''],
      [5, 'thought', ''],
      [6, undefined, 'Yes.'],
    ],
  )
  t.is(text.thoughtCount, 6)
})

test('should leave an answer as it is when the model does not think', (t) => {
  const { delivered, text } = answerOf(['', '\n', 'Y', 'es <think>'])
  t.is(said(delivered), '\nYes <think>')
  t.is(said(delivered, 'thought'), '')
  t.is(text.thoughtCount, 0)
})

test('should look for stop strings in the answer only', (t) => {
  const pieces = ['a STOP', '</think>', 'b', ' STOP', 'never']
  const { delivered, text } = answerOf(pieces, { stop: ['STOP'] }, true)
  t.is(said(delivered, 'thought'), 'a STOP')
  t.is(said(delivered), 'b ')
  t.ok(text.isEnded)
})

test('should look for the JSON value in the answer only', (t) => {
  const { delivered } = answerOf(
    ['{"a":1}', ' {', '</think>{', '{"b":', '2}'],
    { isJson: true },
    true,
  )
  t.is(said(delivered, 'thought'), '{"a":1} {')
  t.is(said(delivered), '{"b":2}', 'what came before the grammar is no part of it')
})

test('should look for calls in the answer only', (t) => {
  const call = '<tool_call>{"name":"f"}</tool_call>'
  const tools = {
    syntax: { opening: '<tool_call>', closing: '</tool_call>' },
    ...{ marks: new Map(), salt: 's' },
  }
  const { delivered, text } = answerOf([`Not ${call}`, '</think>', call], { tools }, true)
  t.is(said(delivered, 'thought'), `Not ${call}`)
  t.is(text.toolCalls.length, 1)
})

test('should read marks that have no text of their own', (t) => {
  const marks = new Map([
    [0, '<think>'],
    [2, '</think>'],
  ])
  const thoughts = { syntax: THINK_TAGS, marks, isOpen: false }
  const { delivered } = answerOf(['', 'Hm', '', 'Yes'], { thoughts })
  t.is(said(delivered, 'thought'), 'Hm')
  t.is(said(delivered), 'Yes')
})

test('should know that it is thinking until the closing mark', (t) => {
  const pieces = ['Hm', '</thi', 'nk>', '\n', 'Yes']
  const text = new AnswerText({
    decode: (tokens) => tokens.map((token) => pieces[token] ?? '').join(''),
    ...{ preceding: [], stop: [], isJson: true, tools: null, delivered: 0 },
    thoughts: { syntax: THINK_TAGS, marks: new Map(), isOpen: true },
  })
  const thinking = [...pieces.keys()].map((tokenId) => {
    text.push({ tokenId })
    return text.isThinking
  })
  t.alike(thinking, [true, true, false, false, false])
})

const piece = fc.oneof(
  fc.constantFrom('<think>', '</think>', '<th', 'ink>', '</th', '\n', ' ', 'a', 'é', '</think>a'),
  fc
    .constantFrom([0xf0, 0x9f], [0x98], [0x80], [0x61, 0xc3], [0xa9], [])
    .map((bytes) => Buffer.from(bytes)),
)
const pieces = fc.array(piece, { maxLength: 14 })

test('should deliver every token once, in order, thoughts first', async (t) => {
  const property = fc.property(pieces, fc.boolean(), (tokens, isOpen) => {
    const { delivered, text } = answerOf(tokens, {}, isOpen)
    ensure(
      delivered.every(({ index, tokenId }, place) => index === place && tokenId === place),
      'another order',
    )
    ensure(delivered.length === tokens.length, 'another number of tokens')
    const thoughts = delivered.filter(({ kind }) => kind === 'thought').length
    ensure(
      delivered.slice(0, thoughts).every(({ kind }) => kind === 'thought'),
      'a thought within the answer',
    )
    ensure(text.thoughtCount === thoughts, 'another count')
  })
  await holds(t, property, 1_000)
})

test('should lose nothing but marks and the space around them', async (t) => {
  const property = fc.property(pieces, fc.boolean(), (tokens, isOpen) => {
    const whole = Buffer.concat(tokens.map((token) => Buffer.from(token))).toString('utf8')
    const { delivered } = answerOf(tokens, {}, isOpen)
    const all = `${isOpen ? '<think>' : ''}${whole}`
    const found = /^\s*<think>\s*(?<thought>[\s\S]*?)\s*(?:<\/think>\s*(?<answer>[\s\S]*))?$/.exec(
      all,
    )
    const hasEnd = all.includes('</think>')
    const thought = found === null ? '' : (found.groups?.thought ?? '')
    const answer = found === null ? all : (found.groups?.answer ?? '')
    ensure(said(delivered) === answer, `answer ${JSON.stringify(said(delivered))}`)
    // A piece that ends the mark and begins the answer can be of one kind only.
    const isMixed = /\S<\/think>a/.test(all) && tokens.includes('</think>a')
    if (hasEnd && !isMixed) ensure(said(delivered, 'thought') === thought, 'thought')
  })
  await holds(t, property, 1_000)
})

test('should go on with the same tokens when it is resumed after any of them', async (t) => {
  const property = fc.property(pieces, fc.boolean(), (tokens, isOpen) => {
    const { delivered } = answerOf(tokens, {}, isOpen)
    for (let before = 0; before <= delivered.length; before++) {
      const rest = answerOf(tokens, { delivered: before }, isOpen)
      const expected = JSON.stringify(delivered.slice(before))
      ensure(JSON.stringify(rest.delivered) === expected, `resumed after ${before}`)
    }
  })
  await holds(t, property, 300)
})
