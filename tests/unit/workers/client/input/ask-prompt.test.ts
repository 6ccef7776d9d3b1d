import test, { type Test } from 'brittle'
import type { ChatRequest } from '../../../../../workers/client/chat-request.js'
import { readAskPrompt } from '../../../../../workers/client/input/ask-prompt.js'
import { rejectionOf, settle } from '../../../../helpers/until.js'
import { clientScene } from '../../../../helpers/workers/client-scene.js'

const MEBIBYTE = 1024 * 1024

/** A command whose standard input is a pipe, a terminal or nothing; what it asks is written down. */
async function scene(t: Test, input: 'pipe' | 'terminal' | 'nothing') {
  const all = await clientScene(t, { isTTY: input === 'terminal' })
  const asked: ChatRequest[] = []
  const { tools } = all
  const terminal = { ...tools.terminal, isPiped: input === 'pipe' }
  const ask = async (words: string[], flags = {}) => {
    asked.push(await readAskPrompt({ ...tools, terminal }, flags, words))
  }
  return { ...all, ask, asked, contents: () => asked.at(-1)?.messages.map((one) => one.content) }
}

test('should send all its words as one prompt', async (t) => {
  for (const input of ['terminal', 'nothing'] as const) {
    const { ask, contents } = await scene(t, input)
    await ask(['hi', 'there,', 'who are you?'])
    t.alike(contents(), ['hi there, who are you?'], 'and reads nothing')
  }
})

test('should ask what is piped into it, with or without a dash', async (t) => {
  for (const words of [['-'], []]) {
    const { ask, type, endInput, contents } = await scene(t, 'pipe')
    const asking = ask(words)
    type('one\n')
    type('two\n')
    endInput()
    await asking
    t.alike(contents(), ['one\ntwo'])
  }
  const { ask, type, endInput, contents } = await scene(t, 'terminal')
  const asking = ask(['-'])
  type('typed')
  endInput()
  await asking
  t.alike(contents(), ['typed'], 'a dash reads a terminal, too')
})

test('should put what is piped after the words and an empty line', async (t) => {
  const { ask, type, endInput, contents } = await scene(t, 'pipe')
  const asking = ask(['Summarise:', '-x'])
  type('a café\r\n')
  endInput()
  await asking
  t.alike(contents(), ['Summarise: -x\n\na café'])
  const empty = await scene(t, 'pipe')
  empty.endInput()
  await empty.ask(['Why?'])
  t.alike(empty.contents(), ['Why?'])
  const blank = await scene(t, 'nothing')
  await blank.ask([' '])
  t.alike(blank.contents(), [' '], 'the mesh says what is wrong with it')
})

test('should ask with the system message and the options of its flags', async (t) => {
  const { ask, asked } = await scene(t, 'nothing')
  await ask(['hi'], { system: 'Be brief.', maxTokens: '5', temperature: '0.5', seed: '7' })
  t.alike(asked, [
    {
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'hi' },
      ],
      model: undefined,
      options: { maxTokens: 5, temperature: 0.5, seed: 7 },
    },
  ])
  t.is(Object(await rejectionOf(ask(['hi'], { seed: 'x' }))).code, 'BAD_USAGE')
  t.is(asked.length, 1)
})

test('should refuse an empty prompt', async (t) => {
  for (const [input, words, piped] of [
    ['terminal', [], ''],
    ['nothing', [], ''],
    ['pipe', [], ' \n'],
    ['pipe', [], ''],
  ] as const) {
    const { ask, type, endInput } = await scene(t, input)
    const refused = rejectionOf(ask([...words]))
    if (piped !== '') type(piped)
    if (input === 'pipe') endInput()
    t.is(Object(await refused).code, 'BAD_USAGE')
  }
})

test('should read no more than a prompt may have, and nothing but text', async (t) => {
  const large = await scene(t, 'pipe')
  const tooLarge = rejectionOf(large.ask(['Summarise:']))
  large.type('x'.repeat(MEBIBYTE))
  t.is(Object(await tooLarge).code, 'PAYLOAD_TOO_LARGE', 'before it has ended')
  const binary = await scene(t, 'pipe')
  const noText = rejectionOf(binary.ask(['Summarise:']))
  binary.tools.terminal.input.end(Buffer.from([0x89, 0x50, 0x4e, 0x47]))
  t.is(Object(await noText).code, 'INVALID_REQUEST')
})

test('should ask without a pipe that brings nothing, and not without one that is slow', async (t) => {
  const silent = await scene(t, 'pipe')
  const asking = silent.ask(['Why?'])
  await silent.clock.advance(10_000)
  await asking
  t.alike(silent.contents(), ['Why?'])
  const slow = await scene(t, 'pipe')
  const answered = slow.ask(['Summarise:'])
  await slow.clock.advance(9_000)
  slow.type('one ')
  await settle(20)
  await slow.clock.advance(60_000)
  slow.type('two')
  slow.endInput()
  await answered
  t.alike(slow.contents(), ['Summarise:\n\none two'])
  const dash = await scene(t, 'pipe')
  const waiting = dash.ask(['-'])
  await dash.clock.advance(60_000)
  dash.type('at last')
  dash.endInput()
  await waiting
  t.alike(dash.contents(), ['at last'], 'what is asked for is waited for')
})

test('should say that it reads when a pipe does not end, and end when it is told to', async (t) => {
  const { ask, clock, notices, end, asked } = await scene(t, 'pipe')
  const asking = rejectionOf(ask(['Summarise:']))
  await clock.advance(1_000)
  t.ok(notices().startsWith('Reading standard input'))
  const reason = new Error('Ctrl-C')
  end(reason)
  t.is(await asking, reason)
  await settle()
  t.is(asked.length, 0)
  t.is(clock.pending, 0)
})
