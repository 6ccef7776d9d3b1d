import { mkdir } from 'node:fs/promises'
import { stripVTControlCharacters } from 'node:util'
import test, { type Test } from 'brittle'
import sinon from 'sinon'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { chat } from '../../../../workers/client/chat.js'
import type { ChatRequest } from '../../../../workers/client/chat-request.js'
import type { GenerationFlags } from '../../../../workers/client/generation-flags.js'
import { settle, until } from '../../../helpers/until.js'
import { clientScene, END } from '../../../helpers/workers/client-scene.js'

const CTRL_C = '\u0003'
const CTRL_D = '\u0004'
const UP = '\u001b[A'

/** A chat that runs, with a model that repeats what it is asked. */
async function scene(
  t: Test,
  options: {
    json?: boolean
    isTTY?: boolean
    model?: string
    kept?: string[]
    flags?: GenerationFlags
  } = {},
) {
  const all = await clientScene(t, options)
  for (const line of options.kept ?? []) await all.folder.chatHistory.keep(line)
  const asked: ChatRequest[] = []
  const held: (() => void)[] = []
  /** Whether answers stop after their first token until they are let go on. */
  const model = { holds: false, failWith: undefined as StarlingError | undefined }
  all.client.ask.callsFake(async function* (question, signal) {
    asked.push(question)
    const text = `echo ${question.messages.at(-1)?.content}`
    yield { text: text.slice(0, 4), tokenId: 0, index: 0 }
    if (model.failWith) throw model.failWith
    if (model.holds) {
      await new Promise<void>((resolve, reject) => {
        held.push(resolve)
        signal.addEventListener('abort', () => reject(signal.reason))
      })
    }
    yield { text: text.slice(4), tokenId: 1, index: 1 }
    return { ...END, model: question.model ?? 'any' }
  })
  all.client.models.resolves([{ name: 'large', processors: 1, loaded: 1, slots: 4 }])
  const chosen = options.model === undefined ? {} : { model: options.model }
  const ended = chat(all.tools, { ...chosen, ...options.flags })
  return {
    ...all,
    asked,
    model,
    ended,
    goOn: () => held.shift()?.(),
    /** The contents of the conversation that the last question stood in. */
    conversation: () => asked.at(-1)?.messages.map(({ content }) => content),
    /** Types, when it is time, what a person would. */
    say: async (text: string) => {
      const { length } = asked
      all.type(`${text}\r`)
      await until('the question', () => asked.length > length)
      await until('the answer', () => all.written().includes(`echo ${text}`))
      await settle()
    },
  }
}

test('should answer one prompt per line and keep the conversation when prompts are piped', async (t) => {
  const { type, endInput, ended, written, asked, conversation, screen } = await scene(t)
  type('one\n\n  \ntwo\nthree')
  endInput()
  t.is(await ended, undefined)
  t.is(written(), 'echo one\necho two\necho three\n')
  t.is(asked.length, 3)
  t.alike(conversation(), ['one', 'echo one', 'two', 'echo two', 'three'])
  t.is(screen(), '', 'no prompt is shown')
})

test('should keep thoughts separate from answers', async (t) => {
  const { type, endInput, ended, asked, client } = await scene(t)
  client.ask.callsFake(async function* (question) {
    asked.push(question)
    yield { kind: 'thought', text: 'Hm', tokenId: 0, index: 0 }
    yield { kind: 'thought', text: '.', tokenId: 1, index: 1 }
    yield { text: 'Yes.', tokenId: 2, index: 2 }
    return { ...END, model: 'any' }
  })
  type('one\ntwo\n')
  endInput()
  await ended
  t.alike(asked.at(-1)?.messages, [
    { role: 'user', content: 'one' },
    { role: 'assistant', content: 'Yes.', reasoning: 'Hm.' },
    { role: 'user', content: 'two' },
  ])
})

test('should not save piped prompts in the history', async (t) => {
  const { type, endInput, ended, folder } = await scene(t)
  type('one\n')
  endInput()
  await ended
  t.alike(await folder.chatHistory.lines(), [])
})

test('should write only JSON objects when a program chats', async (t) => {
  const { type, endInput, ended, objects } = await scene(t, { json: true, model: 'small' })
  type('one\n/new\n/nope\n/help\n')
  endInput()
  t.is(await ended, 1)
  const types = objects().map(({ type }) => type)
  t.alike(types, ['token', 'token', 'end', 'new', 'error', 'help'])
  t.is(objects()[2].model, 'small')
  const { code, message, whatToDo } = objects()[4]
  t.is(code, 'BAD_USAGE')
  t.is(message, 'Unknown command /nope; put a space before a prompt that begins with /')
  t.ok(whatToDo.includes('/help'))
})

test('should continue, and exit with code 1, when a piped prompt is not answered', async (t) => {
  const { type, endInput, ended, model, client, conversation, notices } = await scene(t)
  client.ask.onFirstCall().throws(new StarlingError('NOT_LOGGED_IN', 'The session has ended'))
  type('one\ntwo\n')
  endInput()
  t.is(await ended, 1)
  t.absent(model.failWith)
  t.alike(conversation(), ['two'])
  t.ok(notices().startsWith('The session has ended (NOT_LOGGED_IN)\n  Register or log in'))
})

test('should end the running answer and exit with code 1 when a piped chat is told to end', async (t) => {
  const { type, end, ended, model, written } = await scene(t)
  model.holds = true
  type('one\ntwo\n')
  await until('the answer', () => written() === 'echo')
  end(new StarlingError('CANCELLED', 'Cancelled'))
  t.is(await ended, 1)
})

test('should end the answer and continue without it when Ctrl-C is typed', async (t) => {
  const { say, type, ended, model, written, conversation, asked } = await scene(t, { isTTY: true })
  await say('one')
  model.holds = true
  type('two\r')
  await until('the answer', () => asked.length === 2)
  await settle()
  type(CTRL_C)
  await until('the end', () => written().endsWith('echo\nstopped\n'))
  model.holds = false
  await say('three')
  t.alike(conversation(), ['one', 'echo one', 'three'])
  type(CTRL_D)
  t.is(await ended, undefined)
})

test('should exit when Ctrl-C, Ctrl-D or /quit is typed at the prompt', async (t) => {
  for (const typed of [CTRL_C, CTRL_D, '/quit\r']) {
    const { say, type, ended, asked } = await scene(t, { isTTY: true })
    await say('one')
    type(typed)
    t.is(await ended, undefined)
    t.is(asked.length, 1)
  }
})

test('should answer prompts in order when they were typed during an answer', async (t) => {
  const { type, goOn, ended, model, written, screen, asked } = await scene(t, { isTTY: true })
  model.holds = true
  type('one\r')
  await until('the first question', () => asked.length === 1)
  type('two\rthree\r')
  await settle()
  t.is(asked.length, 1)
  const shown = screen().length
  model.holds = false
  goOn()
  await until('the last answer', () => written().includes('echo three'))
  t.alike(
    asked.map(({ messages }) => messages.at(-1)?.content),
    ['one', 'two', 'three'],
  )
  t.ok(screen().slice(shown).startsWith('> two\n> three\n'), 'each is shown when its turn comes')
  type(CTRL_D)
  await ended
})

test('should show the prompt again when a notice is shown while the user types', async (t) => {
  const { tools, say, type, ended, screen, notices } = await scene(t, { isTTY: true })
  const shown = () => stripVTControlCharacters(screen())
  await say('one')
  await until('the prompt', () => shown().endsWith('one\r\n> '))
  type('tw')
  await settle()
  tools.output.notice('the gateway serves again')
  await settle()
  t.ok(notices().endsWith('the gateway serves again\n'))
  t.ok(shown().endsWith('> tw> tw'), 'once typed, once shown again')
  type(`${CTRL_C}${CTRL_D}`)
  await ended
})

test('should drop the waiting prompts and say so when an answer is cancelled', async (t) => {
  const { type, ended, model, written, asked } = await scene(t, { isTTY: true })
  model.holds = true
  type('one\rtwo\rthree\r')
  await until('the first question', () => asked.length === 1)
  await settle()
  type(CTRL_C)
  await until('the end', () => written().endsWith('stopped, queued prompts discarded: 2\n'))
  type(CTRL_D)
  await ended
  t.is(asked.length, 1)
})

test('should send several lines unchanged, also when they begin with a slash', async (t) => {
  const { type, ended, asked } = await scene(t, { isTTY: true })
  type('"""\r/etc/hosts\ris what?\r"""\r')
  await until('the question', () => asked.length === 1)
  t.is(asked[0]?.messages.at(-1)?.content, '/etc/hosts\nis what?')
  await settle(20)
  type(CTRL_D)
  await ended
})

test('should show the number of tokens, dimmed only at a terminal', async (t) => {
  const { say, type, ended, written } = await scene(t, { isTTY: true })
  await say('one')
  type(CTRL_D)
  await ended
  t.is(written(), '/help lists the commands; Ctrl-D ends the chat.\necho one\n2 tokens, any\n')
})

test('should report the failure and continue without the session when it ends', async (t) => {
  const { say, type, ended, notices, client, conversation, asked } = await scene(t, { isTTY: true })
  await say('one')
  client.ask.onCall(1).throws(new StarlingError('NOT_LOGGED_IN', 'The session has ended'))
  type('two\r')
  await until('the failure', () => notices().includes('NOT_LOGGED_IN'))
  await say('three')
  t.alike(conversation(), ['one', 'echo one', 'three'])
  t.is(asked.length, 2)
  type(CTRL_D)
  t.is(await ended, undefined)
})

test('should report a failure on a new line when the answer breaks off', async (t) => {
  const { type, endInput, ended, model, written, notices } = await scene(t)
  model.failWith = new StarlingError('CONTEXT_TOO_LONG', 'too long')
  type('one\n')
  endInput()
  t.is(await ended, 1)
  t.is(written(), 'echo\n')
  t.ok(notices().endsWith('/new starts a new conversation.\n'))
})

test('should forget the conversation when told /new', async (t) => {
  const { type, endInput, ended, conversation, written } = await scene(t)
  type('one\n/new\ntwo\n')
  endInput()
  await ended
  t.alike(conversation(), ['two'])
  t.ok(written().includes('A new conversation.\n'))
})

test('should begin every conversation with the system message and send the options', async (t) => {
  const flags = { system: 'Be brief.', maxTokens: '5' }
  const { type, endInput, ended, asked, conversation } = await scene(t, { flags })
  type('one\n/new\ntwo\n')
  endInput()
  await ended
  t.alike(conversation(), ['Be brief.', 'two'])
  t.alike(asked[1]?.messages[0]?.role, 'system')
  t.alike(
    asked.map(({ options }) => options),
    [{ maxTokens: 5 }, { maxTokens: 5 }],
  )
})

test('should use the chosen model, and refuse one that no processor serves', async (t) => {
  const { type, endInput, ended, asked, written, notices, client } = await scene(t)
  const refusal = new StarlingError('NOT_SUPPORTED', 'other is an embedding model')
  client.models.withArgs(sinon.match.any, 'other').rejects(refusal)
  type('/model\none\n/model large\n/model\ntwo\n/model other\nthree\n')
  endInput()
  t.is(await ended, 1)
  t.alike(
    asked.map(({ model }) => model),
    [undefined, 'large', 'large'],
  )
  t.ok(written().startsWith('The mesh chooses the model; available models:\n  large  '))
  t.ok(written().includes('The model is large.\nThe model is large; available models:\n  large  '))
  t.ok(notices().includes('other is an embedding model (NOT_SUPPORTED)'), 'as the gateway says it')
})

test('should send a prompt that begins with a slash when a space precedes it', async (t) => {
  const { type, endInput, ended, asked } = await scene(t)
  type(' /etc/hosts is what?\n/toString\n/__proto__\n')
  endInput()
  await ended
  t.alike(
    asked.map(({ messages }) => messages.at(-1)?.content),
    [' /etc/hosts is what?'],
  )
})

test('should list every command when told /help', async (t) => {
  const { type, endInput, ended, written } = await scene(t)
  type('/help\n')
  endInput()
  t.is(await ended, undefined)
  for (const name of ['/model [name]', '/new', '/help', '/quit', 'Ctrl-C', 'Ctrl-D']) {
    t.ok(written().includes(name), name)
  }
})

test('should find what was typed before when the arrow keys are used', async (t) => {
  const kept = ['first', 'second']
  const { say, type, ended, asked, folder } = await scene(t, { isTTY: true, kept })
  await say('one')
  type(`${UP}${UP}\r`)
  await until('the question', () => asked.length === 2)
  t.is(asked[1]?.messages.at(-1)?.content, 'second')
  await say(' secret')
  type(`${UP}\r`)
  await until('the question', () => asked.length === 4)
  t.is(asked[3]?.messages.at(-1)?.content, 'second', 'what begins with a space is not there')
  await settle(20)
  type('/quit\r')
  await ended
  t.alike(await folder.chatHistory.lines(), ['first', 'second', 'one', 'second', '/quit'])
})

test('should chat without a history when it can be neither read nor written', async (t) => {
  const { say, type, ended, notices, folder } = await scene(t, { isTTY: true })
  await mkdir(`${folder.path}/history`)
  await say('one')
  await until('the notice', () => notices().includes('Not saved in the history: '))
  type(CTRL_D)
  t.is(await ended, undefined)
})
