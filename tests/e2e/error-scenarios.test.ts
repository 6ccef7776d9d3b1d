import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { type Running, WorkerProcesses } from '../helpers/processes/worker-processes.js'
import { until } from '../helpers/until.js'

const LONG_QUESTION = 'Tell me a long story about the sea'
const QUESTION = 'What is the capital of France?'
const ANSWER = 'The capital of France is Paris.\n'
const ACCOUNT = ['--email', 'ada@example.com', '--password-stdin']
const MIB = 1024 * 1024

/** What the mesh promises of a worker that is lost in the middle of an answer. */
const NOTICED_WITHIN_MS = 2_000

/** The workers of a mesh, started by hand, and a registered user who may ask as often as they like. */
async function scene(t: Test, settings: NodeJS.ProcessEnv = {}) {
  t.timeout(90_000)
  const processes = await WorkerProcesses.create(t, {
    STARLING_GATEWAY__RATE_LIMIT__PER_MINUTE: '0',
    ...settings,
  })
  const [auth, gateway, processor] = await Promise.all([
    processes.start('auth'),
    processes.start('gateway'),
    processes.start('processor'),
  ])
  const registration = processes.run('client', ['register', ...ACCOUNT], 'correct horse battery\n')
  if ((await registration.exit) !== 0) throw new Error(registration.stderr)
  return { processes, auth, gateway, processor }
}

type Scene = Awaited<ReturnType<typeof scene>>

/** A long answer, of which the first tokens have come. */
async function midAnswer({ processes }: Scene): Promise<Running> {
  const answer = processes.run('client', ['ask', LONG_QUESTION, '--json'])
  await until('the beginning of the answer', () => answer.stdout.includes('"index":4'), 20_000)
  return answer
}

/** What the client says at the end. */
function lastLine(client: Running): Record<string, unknown> {
  return JSON.parse(client.stdout.trim().split('\n').at(-1) ?? '')
}

async function answersAgain(t: Test, { processes }: Scene): Promise<void> {
  const answer = processes.run('client', ['ask', QUESTION])
  t.is(await answer.exit, 0, answer.stderr)
  t.is(answer.stdout, ANSWER)
}

/** Asks the processor until so many answers are in the making. */
async function untilRunning({ processes }: Scene, running: number): Promise<void> {
  for (let survey = 0; survey < 20; survey += 1) {
    const status = processes.run('client', ['status', '--json'])
    await status.exit
    if (status.stdout.includes(`"running":${running},`)) return
  }
  throw new Error(`There are never ${running} answers in the making`)
}

test('should tell the client within two seconds when a worker on the way is killed mid-answer', async (t) => {
  const mesh = await scene(t)
  for (const victim of ['processor', 'gateway'] as const) {
    const answer = await midAnswer(mesh)
    const killedAt = performance.now()
    mesh[victim].process.kill('SIGKILL')
    await until('the error', () => answer.stdout.includes('"type":"error"'))
    const elapsedMs = Math.round(performance.now() - killedAt)
    t.ok(elapsedMs < NOTICED_WITHIN_MS, `${victim}: ${elapsedMs} ms`)
    t.is(await answer.exit, 1)
    const { code, message, retryable } = lastLine(answer)
    t.alike([code, retryable], ['PEER_LOST', true])
    t.ok(String(message).includes('lost'), String(message))
    t.is(answer.stderr, '')
    await mesh.processes.start(victim)
    await answersAgain(t, mesh)
  }
})

test('should go on to its end when auth is killed mid-answer', async (t) => {
  const mesh = await scene(t)
  const answer = await midAnswer(mesh)
  await mesh.auth.kill()
  t.is(await answer.exit, 0, answer.stdout)
  t.is(lastLine(answer).type, 'end')
  await answersAgain(t, mesh)
})

test('should say so and answer the next question when the engine is killed mid-answer', async (t) => {
  const mesh = await scene(t)
  const answer = await midAnswer(mesh)
  const [engine] = await mesh.processes.everyProcess('llama-child.js')
  process.kill(engine ?? 0, 'SIGKILL')
  t.is(await answer.exit, 1)
  const { code, retryable } = lastLine(answer)
  t.alike([code, retryable], ['ENGINE_CRASHED', false])
  await answersAgain(t, mesh)
  t.absent(mesh.processor.stderr.includes('    at '), 'no stack')
})

test('should take the answer whole and free its slot when nobody reads the output of a client, or it is killed', async (t) => {
  // What is on its way to the client is then less than the answer.
  const mesh = await scene(t, { STARLING_NETWORK__STREAM_WINDOW_CHUNKS: '4' })
  const { processes, gateway } = mesh
  const pipe = await fullPipe(t, processes)
  const stuck = processes.run('client', ['ask', LONG_QUESTION, '--json'], '', pipe)
  const answered = /"gateway.infer".*"code":"OK"/
  await until('the end of the answer', () => answered.test(gateway.stderr), 30_000)
  await untilRunning(mesh, 0)
  t.is(stuck.process.exitCode, null, 'it waits for the reader of its output')
  stuck.process.kill('SIGINT')
  t.is(await stuck.exit, 0, 'the answer had ended')

  const killed = await midAnswer(mesh)
  await killed.kill()
  await untilRunning(mesh, 0)
  await answersAgain(t, mesh)
})

test('should free the slot and tell the client when that was stopped in the middle', async (t) => {
  const mesh = await scene(t, { STARLING_NETWORK__STREAM_WINDOW_CHUNKS: '4' })
  const answer = await midAnswer(mesh)
  answer.process.kill('SIGSTOP')
  await answersAgain(t, mesh)
  await untilRunning(mesh, 0)
  answer.process.kill('SIGCONT')
  t.is(await answer.exit, 1)
  t.alike([lastLine(answer).code, lastLine(answer).retryable], ['PEER_LOST', true])
})

test('should refuse with a reason when a prompt is none', async (t) => {
  const mesh = await scene(t)
  const { processes } = mesh
  for (const prompt of ['', ' \n\t ']) {
    const client = processes.run('client', ['ask', prompt, '--json'])
    t.is(await client.exit, 1)
    t.is(lastLine(client).code, 'INVALID_REQUEST')
    t.ok(String(lastLine(client).message).includes('the prompt is empty'))
  }
  const cases: [input: Uint8Array, code: string, why: RegExp][] = [
    [Buffer.alloc(2 * MIB, 'a'), 'PAYLOAD_TOO_LARGE', /2097152/],
    [Buffer.alloc(MIB + 1, 'a'), 'INVALID_REQUEST', /longer than 1048576 bytes/],
    [Buffer.alloc(MIB - 1, 'word '), 'CONTEXT_TOO_LONG', /at least \d+ tokens/],
    [Buffer.alloc(17 * MIB, 'a'), 'PAYLOAD_TOO_LARGE', /16777216/],
    [Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x0a]), 'INVALID_REQUEST', /not valid UTF-8/],
  ]
  for (const [input, code, why] of cases) {
    const client = processes.run('client', ['--json'], input)
    t.is(await client.exit, 1, code)
    t.is(lastLine(client).code, code)
    t.ok(why.test(String(lastLine(client).message)), String(lastLine(client).message))
    t.is(client.stderr, '')
  }
  const mixed = processes.run(
    'client',
    [],
    Buffer.concat([Buffer.from([0xff, 0x0a]), Buffer.from(`${QUESTION}\n`)]),
  )
  t.is(await mixed.exit, 1)
  t.is(mixed.stdout, ANSWER, 'the next line is answered')
  t.ok(mixed.stderr.includes('Line 1 of standard input is not valid UTF-8'))
})

test('should serve on when its log cannot be written', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  for (const worker of ['auth', 'gateway']) {
    // Every write there fails as on a full disk.
    processes.spawn('sh', ['-c', `exec ${process.execPath} workers/${worker}.js 2>/dev/full`])
  }
  await processes.meshCreated()
  const registration = processes.run('client', ['register', ...ACCOUNT], 'correct horse battery\n')
  t.is(await registration.exit, 0, registration.stderr)
})

/** A pipe that holds all that it can, and that nobody reads. */
async function fullPipe(t: Test, processes: WorkerProcesses): Promise<number> {
  const path = join(processes.home, 'pipe')
  await processes.spawn('mkfifo', [path]).exit
  const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  t.teardown(() => closeSync(pipe))
  for (const sizeBytes of [4096, 1]) {
    try {
      for (;;) writeSync(pipe, Buffer.alloc(sizeBytes, ' '))
    } catch (error) {
      // Full.
      if (Object(error).code !== 'EAGAIN') throw error
    }
  }
  return pipe
}
