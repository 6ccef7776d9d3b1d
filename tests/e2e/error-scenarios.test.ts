import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { MeshByHand, type WorkerRole } from '../helpers/processes/mesh-by-hand.js'
import { type Running, WorkerProcesses } from '../helpers/processes/worker-processes.js'
import { Shared } from '../helpers/shared.js'
import { until } from '../helpers/until.js'

const LONG_QUESTION = 'Tell me a long story about the sea'
const QUESTION = 'What is the capital of France?'
const ANSWER = 'The capital of France is Paris.\n'
const HOLDING = 'holding the bootstrap port'
const MIB = 1024 * 1024

/** What the mesh promises of a worker that is lost in the middle of an answer. */
const NOTICED_WITHIN_MS = 2_000

/** The mesh that these tests break; the next one repairs it, and the last one ends it. */
const shared = new Shared((scope) =>
  MeshByHand.start(scope, {
    STARLING_GATEWAY__RATE_LIMIT__PER_MINUTE: '0',
    // What is on its way to a client that does not read is then less than an answer.
    STARLING_NETWORK__STREAM_WINDOW_CHUNKS: '4',
  }),
)

async function scene(t: Test): Promise<MeshByHand> {
  t.timeout(120_000)
  const mesh = await shared.get()
  await mesh.whole()
  return mesh
}

/** A long answer, of which the first tokens have come. */
async function midAnswer(mesh: MeshByHand): Promise<Running> {
  const answer = mesh.run(['ask', LONG_QUESTION, '--json'])
  await until('the beginning of the answer', () => answer.stdout.includes('"index":4'), 20_000)
  return answer
}

/** What the client says at the end. */
function lastLine(client: Running): Record<string, unknown> {
  return JSON.parse(client.stdout.trim().split('\n').at(-1) ?? '')
}

async function answersAgain(t: Test, mesh: MeshByHand): Promise<void> {
  const answer = mesh.run(['ask', QUESTION])
  t.is(await answer.exit, 0, answer.stderr)
  t.is(answer.stdout, ANSWER)
}

/** Back in service by the restart alone. */
async function isBack(t: Test, mesh: MeshByHand, role: WorkerRole): Promise<void> {
  await mesh.start(role)
  const login = mesh.login()
  t.is(await login.exit, 0, `login after ${role} was restarted: ${login.stderr}`)
  await answersAgain(t, mesh)
}

test('should tell the client within two seconds, and recover after a restart, when a worker on the path is killed mid-answer', async (t) => {
  const mesh = await scene(t)
  t.ok(mesh.worker('gateway').stderr.includes(HOLDING), 'the first worker holds the bootstrap port')
  for (const victim of ['processor', 'gateway'] as const) {
    const answer = await midAnswer(mesh)
    const killedAt = performance.now()
    mesh.worker(victim).process.kill('SIGKILL')
    await until('the error', () => answer.stdout.includes('"type":"error"'))
    const elapsedMs = Math.round(performance.now() - killedAt)
    t.ok(elapsedMs < NOTICED_WITHIN_MS, `${victim}: ${elapsedMs} ms`)
    t.is(await answer.exit, 1)
    const { code, message, retryable } = lastLine(answer)
    t.alike([code, retryable], ['PEER_LOST', true])
    t.ok(String(message).includes('lost'), String(message))
    t.is(answer.stderr, '')
    if (victim === 'gateway') {
      const others = (['auth', 'processor'] as const).map((role) => mesh.worker(role))
      const holders = () => others.filter(({ stderr }) => stderr.includes(HOLDING)).length
      t.is(await until('another holder of the bootstrap port', holders, 20_000), 1)
    }
    await isBack(t, mesh, victim)
  }
})

test('should finish the answer, and recover after a restart, when auth is killed mid-answer', async (t) => {
  const mesh = await scene(t)
  const answer = await midAnswer(mesh)
  await mesh.worker('auth').kill()
  t.is(await answer.exit, 0, answer.stdout)
  t.is(lastLine(answer).type, 'end')
  await answersAgain(t, mesh)
  await isBack(t, mesh, 'auth')
})

test('should let a running answer finish when its processor is told to shut down', async (t) => {
  const mesh = await scene(t)
  const undisturbed = mesh.run(['ask', LONG_QUESTION])
  t.is(await undisturbed.exit, 0)
  const answer = mesh.run(['ask', LONG_QUESTION])
  await until('the beginning of the answer', () => answer.stdout.length > 20, 20_000)
  mesh.worker('processor').process.kill('SIGTERM')
  t.is(await answer.exit, 0, answer.stderr)
  t.is(answer.stdout, undisturbed.stdout, 'no token is lost')
  t.is(await mesh.worker('processor').exit, 0)
})

test('should exit at once when it is signalled a second time', async (t) => {
  const mesh = await scene(t)
  const answer = await midAnswer(mesh)
  const processor = mesh.worker('processor')
  processor.process.kill('SIGTERM')
  processor.process.kill('SIGINT')
  t.is(await processor.exit, 1)
  t.is(await answer.exit, 1)
  t.is(lastLine(answer).code, 'PEER_LOST', answer.stdout)
})

test('should say so and answer the next request when the engine is killed mid-answer', async (t) => {
  const mesh = await scene(t)
  const answer = await midAnswer(mesh)
  const [engine] = await mesh.processes.everyProcess('llama-child.js')
  process.kill(engine ?? 0, 'SIGKILL')
  t.is(await answer.exit, 1)
  const { code, retryable } = lastLine(answer)
  t.alike([code, retryable], ['ENGINE_CRASHED', false])
  await answersAgain(t, mesh)
  t.absent(mesh.worker('processor').stderr.includes('    at '), 'no stack')
})

test('should finish the answer and free its slot when nobody reads the output of a client, or it is killed', async (t) => {
  const mesh = await scene(t)
  const pipe = await fullPipe(t, mesh.processes)
  const stuck = mesh.run(['ask', LONG_QUESTION, '--json'], '', pipe)
  await mesh.untilBusy(1)
  await mesh.untilBusy(0)
  t.is(stuck.process.exitCode, null, 'it waits for the reader of its output')
  const reader = mesh.processes.spawn('cat', [pipePath(mesh.processes)])
  t.is(await stuck.exit, 0)
  await until('the end of the answer', () => reader.stdout.includes('"type":"end"'))
  await reader.kill()

  const killed = await midAnswer(mesh)
  await killed.kill()
  await mesh.untilBusy(0)
  await answersAgain(t, mesh)
})

test('should free the slot and tell the client when it was stopped mid-answer', async (t) => {
  const mesh = await scene(t)
  const answer = await midAnswer(mesh)
  answer.process.kill('SIGSTOP')
  await answersAgain(t, mesh)
  await mesh.untilBusy(0)
  answer.process.kill('SIGCONT')
  t.is(await answer.exit, 1)
  t.alike([lastLine(answer).code, lastLine(answer).retryable], ['PEER_LOST', true])
})

test('should refuse with a reason when a prompt is invalid', async (t) => {
  const mesh = await scene(t)
  for (const prompt of ['', ' \n\t ']) {
    const client = mesh.run(['ask', prompt, '--json'])
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
    const client = mesh.run(['--json'], input)
    t.is(await client.exit, 1, code)
    t.is(lastLine(client).code, code)
    t.ok(why.test(String(lastLine(client).message)), String(lastLine(client).message))
    t.is(client.stderr, '')
  }
  const mixed = mesh.run(
    [],
    Buffer.concat([Buffer.from([0xff, 0x0a]), Buffer.from(`${QUESTION}\n`)]),
  )
  t.is(await mixed.exit, 1)
  t.is(mixed.stdout, ANSWER, 'the next line is answered')
  t.ok(mixed.stderr.includes('Line 1 of standard input is not valid UTF-8'))
})

test('should leave nothing behind when the workers are told to shut down after all failures', async (t) => {
  t.teardown(async () => await shared.end())
  const mesh = await scene(t)
  t.alike(await mesh.leave(), [0, 0, 0])
  t.alike(await mesh.processes.everyProcess(), [])
})

test('should continue to serve when its log cannot be written', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  for (const worker of ['auth', 'gateway']) {
    // Every write there fails as on a full disk.
    processes.spawn('sh', ['-c', `exec ${process.execPath} workers/${worker}.js 2>/dev/full`])
  }
  await processes.meshCreated()
  const account = ['register', '--email', 'ada@example.com', '--password-stdin']
  const registration = processes.run('client', account, 'correct horse battery\n')
  t.is(await registration.exit, 0, registration.stderr)
})

function pipePath(processes: WorkerProcesses): string {
  return join(processes.home, 'pipe')
}

/** A pipe that is full, and that is not read. */
async function fullPipe(t: Test, processes: WorkerProcesses): Promise<number> {
  const path = pipePath(processes)
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
