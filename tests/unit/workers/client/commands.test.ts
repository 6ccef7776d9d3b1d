import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import { inWords, logout, whoami } from '../../../../workers/client/account-commands.js'
import type { AnswerEnd } from '../../../../workers/client/chat-request.js'
import { models } from '../../../../workers/client/models.js'
import { streamAnswer } from '../../../../workers/client/stream-answer.js'
import { END, clientScene as scene } from '../../../helpers/workers/client-scene.js'

const SESSION = { email: 'ada@example.com', token: 'a.b.c', expiresAt: 1_800_000_000_000 }

const QUESTION = { messages: [{ role: 'user' as const, content: 'Why?' }] }

/** What the first token says besides itself. */
const REPEATABLE = { seed: 4_294_967_295, model: 'small', reproducibility: 'exact' as const }

test('should write the answer as it arrives', async (t) => {
  const { tools, client, written } = await scene(t)
  client.ask.callsFake(async function* () {
    yield { text: 'be', tokenId: 1, index: 0 }
    yield { text: 'cause', tokenId: 2, index: 1 }
    return END
  })
  await streamAnswer(tools, { ...QUESTION, model: 'small' })
  t.is(written(), 'because\n')
  t.alike(client.ask.firstCall.args, [
    { messages: [{ role: 'user', content: 'Why?' }], model: 'small' },
    tools.signal,
  ])
})

test('should write each token and the end when a program asks', async (t) => {
  const { tools, client, objects } = await scene(t, { json: true })
  client.ask.callsFake(async function* () {
    yield { text: 'yes', tokenId: 1, index: 0, ...REPEATABLE }
    return { ...END, completionTokens: 30, timings: { promptMs: 5, generationMs: 120 } }
  })
  await streamAnswer(tools, QUESTION)
  t.alike(objects(), [
    { type: 'token', text: 'yes', tokenId: 1, index: 0, ...REPEATABLE },
    {
      type: 'end',
      ...END,
      completionTokens: 30,
      timings: { promptMs: 5, generationMs: 120 },
      tokensPerSecond: 250,
    },
  ])
})

test('should show the speed of the answer at a terminal', async (t) => {
  const { tools, client, written, notices } = await scene(t, { isTTY: true })
  const answerOf = (end: Partial<AnswerEnd>) =>
    client.ask.callsFake(async function* () {
      yield { text: 'yes', tokenId: 1, index: 0 }
      return { ...END, ...end }
    })
  answerOf({ completionTokens: 30, timings: { promptMs: 5, generationMs: 120 } })
  await streamAnswer(tools, QUESTION)
  t.is(written(), 'yes\n30 tokens, 250.0 tokens/s, small\n')
  answerOf({ completionTokens: 1 })
  await streamAnswer(tools, QUESTION)
  t.ok(written().endsWith('yes\n1 token, small\n'), 'no rate where none was measured')
  answerOf({ finishReason: 'length' })
  await streamAnswer(tools, QUESTION)
  t.ok(written().endsWith('yes\n2 tokens, small, cut off at the length limit\n'))
  answerOf({ finishReason: 'length', stopReason: 'repetition' })
  await streamAnswer(tools, QUESTION)
  t.ok(written().endsWith('yes\n2 tokens, small\n'))
  t.is(notices(), 'The answer was stopped early because it only repeated itself.\n')
})

test('should write the answer without its thought, and say so if there was nothing else', async (t) => {
  const { tools, client, written, notices } = await scene(t)
  client.ask.callsFake(async function* () {
    yield { kind: 'thought', text: 'Hm.', tokenId: 1, index: 0 }
    yield { text: 'Yes.', tokenId: 2, index: 1 }
    return END
  })
  await streamAnswer(tools, QUESTION)
  t.is(written(), 'Yes.\n')
  t.is(notices(), '')
  client.ask.callsFake(async function* () {
    yield { kind: 'thought', text: 'Hm.', tokenId: 1, index: 0 }
    return { ...END, finishReason: 'length' }
  })
  await streamAnswer(tools, QUESTION)
  t.is(written(), 'Yes.\n\n')
  t.is(notices(), 'The model produced thoughts but no answer. More tokens may help.\n')
})

test('should show the thought and its length at a terminal', async (t) => {
  const { tools, client, written } = await scene(t, { isTTY: true })
  client.ask.callsFake(async function* () {
    yield { kind: 'thought', text: 'Hm.', tokenId: 1, index: 0 }
    yield { text: 'Yes.', tokenId: 2, index: 1 }
    return { ...END, completionTokens: 2, thoughtTokens: 1 }
  })
  await streamAnswer(tools, QUESTION)
  t.is(written(), '[thought] Hm.\n\n[answer] Yes.\n2 tokens, 1 of them thinking, small\n')
})

test('should say whose session it is as the mesh says it', async (t) => {
  const { tools, client, lines } = await scene(t)
  client.whoami.resolves({ email: 'ada@example.com', userId: 'usr_1', expiresInMs: 43_199_000 })
  await whoami(tools)
  t.alike(lines(), ['ada@example.com (usr_1); the session ends in 11 h 59 min.'])
  const { tools: forPrograms, client: other, objects } = await scene(t, { json: true })
  other.whoami.resolves({ email: 'ada@example.com', userId: 'usr_1', expiresInMs: 5 })
  await whoami(forPrograms)
  t.alike(objects(), [
    { type: 'whoami', email: 'ada@example.com', userId: 'usr_1', expiresInMs: 5 },
  ])
})

test('should remove the session and say so when the user logs out', async (t) => {
  const { tools, folder, lines } = await scene(t)
  await folder.saveSession(SESSION)
  await logout(tools)
  t.is(await folder.session(), undefined)
  await logout(tools)
  await folder.ensureLocalAccount()
  await logout(tools)
  t.alike(lines(), [
    'Logged out ada@example.com: the session is removed.',
    'There was no session.',
    "There was no session. The next command opens one with this home's own account; " +
      'log in to use another.',
  ])
})

test('should remove a session also when it is damaged', async (t) => {
  const { tools, folder, objects } = await scene(t, { json: true })
  await writeFile(join(folder.path, 'session.json'), '{')
  await logout(tools)
  t.is(await folder.session(), undefined)
  t.alike(objects(), [{ type: 'loggedOut', wasThere: true, hasLocalAccount: false }])
})

test('should list the models, and fail when there is none', async (t) => {
  const { tools, client, written } = await scene(t)
  client.models.resolves([
    {
      name: 'large',
      processors: 1,
      loaded: 0,
      slots: 1,
      contextTokens: 4096,
      sizeBytes: 27_702_304,
      quantization: 'Q8_0',
      licence: 'Apache-2.0',
      source: 'npm:large@1.0.1',
    },
    { name: 'small', processors: 2, loaded: 2, slots: 8 },
  ])
  await models(tools)
  t.is(
    written(),
    'large                           1 processor  1 slot  4096 tokens of context  28 MB  Q8_0  ' +
      'Apache-2.0  from npm:large@1.0.1  loaded on demand\n' +
      'small                           2 processors  8 slots\n',
  )
  client.models.resolves([])
  await t.exception(models(tools), { code: 'MODEL_UNAVAILABLE' })
})

test('should list the models as objects when a program asks', async (t) => {
  const { tools, client, objects } = await scene(t, { json: true })
  client.models.resolves([{ name: 'small', processors: 2, loaded: 1, slots: 8 }])
  await models(tools)
  t.alike(objects(), [{ type: 'model', name: 'small', processors: 2, loaded: 1, slots: 8 }])
})

test('should show a model on one line whatever its processor says of it', async (t) => {
  const { tools, client, written } = await scene(t)
  const evil = 'x\n\u001b[2J\u009b\u202elarge'
  const model = { processors: 1, loaded: 1, slots: 1 }
  client.models.resolves([
    { ...model, name: evil, licence: evil, source: evil, quantization: evil },
  ])
  await models(tools)
  t.is(written().split('\n').length, 2)
  t.absent(/(?!\n)[\p{Cc}\u202e]/u.test(written()))
  client.whoami.resolves({ email: 'ada@example.com', userId: evil, expiresInMs: 1 })
  await whoami(tools)
  t.is(written().split('\n').length, 3)
})

test('should say a duration in its two largest units', (t) => {
  const minuteMs = 60_000
  t.is(inWords(0), '0 s')
  t.is(inWords(59_999), '59 s')
  t.is(inWords(minuteMs), '1 min 0 s')
  t.is(inWords(61 * minuteMs), '1 h 1 min')
  t.is(inWords(49 * 60 * minuteMs), '2 d 1 h')
})
