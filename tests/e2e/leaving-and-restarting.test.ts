import test from 'brittle'
import { type Running, WorkerProcesses } from '../helpers/processes/worker-processes.js'
import { until } from '../helpers/until.js'

const LONG_QUESTION = 'Tell me a long story about the sea'
const ACCOUNT = ['--email', 'ada@example.com', '--password-stdin']

/** A mesh of workers started by hand, and a registered user. */
async function startedByHand(processes: WorkerProcesses): Promise<{ processor: Running }> {
  const [processor] = await Promise.all([
    processes.start('processor'),
    processes.start('gateway'),
    processes.start('auth'),
  ])
  const registration = processes.run('client', ['register', ...ACCOUNT], 'correct horse battery\n')
  if ((await registration.exit) !== 0) throw new Error(registration.stderr)
  return { processor }
}

test('should start a worker again and say so when it is killed', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  const mesh = processes.run('mesh')
  await mesh.says('The mesh serves')
  for (const worker of ['gateway', 'processor', 'auth']) {
    const [pid] = await processes.processes(`${worker}.js`)
    process.kill(pid ?? 0, 'SIGKILL')
    await mesh.says(`${worker} ended unexpectedly (SIGKILL)`)
    await mesh.says(`${worker} serves again`)
    const answer = processes.run('client', ['ask', 'What is the capital of France?'])
    t.is(await answer.exit, 0, `after ${worker} was killed: ${answer.stderr}`)
    t.is(answer.stdout, 'The capital of France is Paris.\n')
  }
  mesh.process.kill('SIGTERM')
  t.is(await mesh.exit, 0)
  t.alike(await processes.processes(), [])
})

test('should let a running answer end when its processor is told to leave', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  const { processor } = await startedByHand(processes)
  const undisturbed = processes.run('client', ['ask', LONG_QUESTION])
  t.is(await undisturbed.exit, 0)

  const answer = processes.run('client', ['ask', LONG_QUESTION])
  await until('the beginning of the answer', () => answer.stdout.length > 20)
  processor.process.kill('SIGTERM')
  t.is(await answer.exit, 0, answer.stderr)
  t.is(answer.stdout, undisturbed.stdout, 'no token is lost')
  t.is(await processor.exit, 0)
})

test('should end at once when it is signalled a second time', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  const { processor } = await startedByHand(processes)
  const answer = processes.run('client', ['ask', LONG_QUESTION])
  await until('the beginning of the answer', () => answer.stdout.length > 20)
  processor.process.kill('SIGTERM')
  processor.process.kill('SIGINT')
  t.is(await processor.exit, 1)
  t.is(await answer.exit, 1)
  t.ok(answer.stderr.includes('PEER_LOST'), answer.stderr)
})
