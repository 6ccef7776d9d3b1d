import test from 'brittle'
import fc from 'fast-check'
import { ToolCallText } from '../../../../helpers/chat/tool-call-text.js'
import { toolSyntaxOf } from '../../../../helpers/chat/tool-syntax.js'
import { ensure, holds } from '../../../helpers/property.js'

const HERMES = { opening: '<tool_call>', closing: '</tool_call>' }
const MISTRAL = { opening: '[TOOL_CALLS]', closing: null }
const LLAMA = { opening: null, closing: null }
type Syntax = typeof HERMES | typeof MISTRAL | typeof LLAMA

function read(syntax: Syntax, whole: string, pieceLength = whole.length) {
  const reader = new ToolCallText(syntax, 'salt')
  let text = ''
  for (let start = 0; start < whole.length; start += pieceLength) {
    text += reader.push(whole.slice(start, start + pieceLength))
  }
  text += reader.flush()
  const calls = reader.calls.map((call) => [call.function.name, call.function.arguments])
  return { text, calls, ids: reader.calls.map(({ id }) => id) }
}

const CASES: readonly [string, Syntax, string, string, [string, string][]][] = [
  [
    'one call',
    HERMES,
    '<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>',
    '',
    [['f', '{"x":1}']],
  ],
  [
    'text and two calls',
    HERMES,
    'Let me see.\n<tool_call>{"name":"f"}</tool_call>\n<tool_call>{"name":"g","arguments":"{}"}</tool_call>\n',
    'Let me see.\n',
    [
      ['f', '{}'],
      ['g', '{}'],
    ],
  ],
  ['a call that is not closed', HERMES, '<tool_call>{"name":"f"}', '', [['f', '{}']]],
  [
    'text after a call',
    HERMES,
    '<tool_call>{"name":"f"}</tool_call> and <b>',
    ' and <b>',
    [['f', '{}']],
  ],
  [
    'broken JSON',
    HERMES,
    '<tool_call>{"name":f}</tool_call>',
    '<tool_call>{"name":f}</tool_call>',
    [],
  ],
  ['no JSON', HERMES, 'a <tool_call>hello</tool_call> b', 'a <tool_call>hello</tool_call> b', []],
  ['no name', HERMES, '<tool_call>{"a":1}</tool_call>', '<tool_call>{"a":1}</tool_call>', []],
  ['something between', HERMES, '<tool_call>{"name":"f"} x', '<tool_call>{"name":"f"} x', []],
  ['half a call', HERMES, 'a <tool_call>{"name":"f', 'a <tool_call>{"name":"f', []],
  ['half an opening', HERMES, 'a <tool_', 'a <tool_', []],
  [
    'braces in strings',
    HERMES,
    '<tool_call>{"name":"f","arguments":{"x":"}\\"{"}}</tool_call>',
    '',
    [['f', '{"x":"}\\"{"}']],
  ],
  [
    'a list',
    MISTRAL,
    '[TOOL_CALLS][{"name":"f","arguments":{}},{"name":"g","arguments":{"a":[]}}]',
    '',
    [
      ['f', '{}'],
      ['g', '{"a":[]}'],
    ],
  ],
  ['only text', MISTRAL, 'No [tools] here', 'No [tools] here', []],
  ['a bare call', LLAMA, '{"name": "f", "parameters": {"x": "y"}}', '', [['f', '{"x":"y"}']]],
  [
    'two bare calls',
    LLAMA,
    ' {"name":"f"}; {"name":"g"}',
    '',
    [
      ['f', '{}'],
      ['g', '{}'],
    ],
  ],
  ['JSON that is no call', LLAMA, '{"x": 1}', '{"x": 1}', []],
  ['text with JSON in it', LLAMA, 'See {"name":"f"}', 'See {"name":"f"}', []],
]

for (const [name, syntax, whole, text, calls] of CASES) {
  test(`should distinguish calls from text when there is ${name}, however it is cut`, (t) => {
    for (const pieceLength of [whole.length, 1, 2, 3, 7]) {
      const result = read(syntax, whole, pieceLength)
      t.is(result.text, text)
      t.alike(result.calls, calls)
    }
  })
}

test('should give the same call the same id, and calls of one answer different ones', (t) => {
  const whole = '<tool_call>{"name":"f"}</tool_call><tool_call>{"name":"f"}</tool_call>'
  const [first, second] = read(HERMES, whole).ids
  t.not(first, second)
  t.alike(read(HERMES, whole, 1).ids, [first, second])
  t.ok(/^call_[0-9a-f]{24}$/.test(String(first)))
  const other = new ToolCallText(HERMES, 'another')
  other.push('<tool_call>{"name":"f"}</tool_call>')
  t.not(other.calls[0]?.id, first)
})

test('should let a call through as text when it is longer than a call may be', (t) => {
  const whole = `<tool_call>{"name":"f","arguments":{"x":"${'y'.repeat(40_000)}"}}</tool_call>`
  t.alike(read(HERMES, whole, 100), { text: whole, calls: [], ids: [] })
})

test('should let calls through as text when all arguments together are more than an end may hold', (t) => {
  const call = `<tool_call>{"name":"f","arguments":{"x":"${'y'.repeat(20_000)}"}}</tool_call>`
  const { calls, text } = read(HERMES, call.repeat(3), 500)
  t.is(calls.length, 2)
  t.is(text, call)
})

test('should lose nothing of a text that holds no call', async (t) => {
  const unit = fc.constantFrom(
    '<',
    'tool_call>',
    '<tool_call>',
    '</tool_call>',
    '{',
    '}',
    '"',
    'a',
    ' ',
  )
  const property = fc.property(fc.array(unit, { maxLength: 12 }), fc.nat(5), (parts, extra) => {
    const whole = parts.join('')
    const { text, calls } = read(HERMES, whole, extra + 1)
    ensure(calls.length === 0 && text === whole, JSON.stringify(text))
  })
  await holds(t, property, 500)
})

test('should know the syntax that a template teaches', (t) => {
  t.is(toolSyntaxOf('{{ messages }}'), null)
  t.is(toolSyntaxOf('{% if tools %}{{ tools }}{% endif %}'), null)
  t.alike(toolSyntaxOf('{% if tools %}<tool_call>{% endif %}'), HERMES)
  t.alike(toolSyntaxOf('{{ tools }} [TOOL_CALLS]'), MISTRAL)
  t.alike(toolSyntaxOf('{% for t in tools %} {"name": n, "parameters": p} <|python_tag|>'), LLAMA)
})
