import test from 'brittle'
import { type Running, WorkerProcesses } from '../helpers/processes/worker-processes.js'
import { until } from '../helpers/until.js'

const QUESTION = 'What is the capital of France?'
const ANSWER = 'The capital of France is Paris.\n'
const EMAIL = ['--email', 'ada@example.com', '--password-stdin']
const PASSWORD = 'correct horse battery\n'

test('should take a user from the first registration to the last farewell when workers are started by hand', async (t) => {
  t.timeout(90_000)
  const processes = await WorkerProcesses.create(t)
  const workers = [processes.run('processor'), processes.run('gateway')]
  await processes.meshCreated()
  const registration = processes.run('client', ['register', ...EMAIL], PASSWORD)
  // The client is there before auth is, and says what it waits for.
  await registration.says('No auth worker is connected')
  workers.push(processes.run('auth'))
  t.is(await registration.exit, 0)
  t.is(registration.stdout, 'Registered ada@example.com and logged in.\n')

  const answer = processes.run('client', ['ask', QUESTION])
  t.is(await answer.exit, 0)
  t.is(answer.stdout, ANSWER)
  const streamed = processes.run('client', ['ask', QUESTION, '--json'])
  t.is(await streamed.exit, 0)
  const objects = streamed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.is(`${objects.map(({ text }) => text ?? '').join('')}\n`, ANSWER)
  t.is(objects.length, objects.at(-1).completionTokens + 1, 'a token each, and the end')

  const status = processes.run('client', ['status'])
  t.is(await status.exit, 0)
  for (const role of ['auth', 'gateway', 'processor']) t.ok(status.stdout.includes(role), role)

  const wrong = processes.run('client', ['login', ...EMAIL], 'wrong password\n')
  t.is(await wrong.exit, 1)
  t.ok(wrong.stderr.includes('INVALID_CREDENTIAL'))
  const taken = processes.run('client', ['register', ...EMAIL], PASSWORD)
  t.is(await taken.exit, 1)
  t.ok(taken.stderr.includes('EMAIL_TAKEN'))

  t.is(await processes.run('client', ['logout']).exit, 0)
  const stranger = processes.run('client', ['ask', QUESTION])
  t.is(await stranger.exit, 1)
  t.ok(stranger.stderr.includes('NOT_LOGGED_IN'))
  const again = processes.run('client', ['login', ...EMAIL], PASSWORD)
  t.is(await again.exit, 0)
  const back = processes.run('client', ['ask', QUESTION])
  t.is(await back.exit, 0)
  t.is(back.stdout, ANSWER)

  for (const worker of workers) worker.process.kill('SIGTERM')
  t.alike(await Promise.all(workers.map(({ exit }) => exit)), [0, 0, 0])
  t.alike(await processes.everyProcess(), [])
})

test('should be back in service by its restart alone when a worker of any role is killed', async (t) => {
  t.timeout(120_000)
  const processes = await WorkerProcesses.create(t)
  const workers = new Map<string, Running>()
  // The first one holds the bootstrap port.
  for (const role of ['gateway', 'auth', 'processor']) {
    workers.set(role, await processes.start(role))
  }
  t.ok(workers.get('gateway')?.stderr.includes('holding the bootstrap port'))
  const registration = processes.run('client', ['register', ...EMAIL], PASSWORD)
  t.is(await registration.exit, 0)

  for (const role of ['processor', 'auth', 'gateway']) {
    await workers.get(role)?.kill()
    workers.set(role, await processes.start(role))
    const login = processes.run('client', ['login', ...EMAIL], PASSWORD)
    t.is(await login.exit, 0, `login after ${role} was restarted: ${login.stderr}`)
    const answer = processes.run('client', ['ask', QUESTION])
    t.is(await answer.exit, 0, `answer after ${role} was restarted: ${answer.stderr}`)
    t.is(answer.stdout, ANSWER)
  }
  const holders = () => [...workers.values()].filter(({ stderr }) => stderr.includes('holding the'))
  t.is((await until('another holder of the bootstrap port', holders)).length, 1)
})

test('should hand the bootstrap port over when its holder is killed and not restarted', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  const holder = await processes.start('processor')
  t.ok(holder.stderr.includes('holding the bootstrap port'))
  const gateway = await processes.start('gateway')
  await processes.start('auth')
  await holder.kill()
  const registration = processes.run('client', ['register', ...EMAIL], PASSWORD)
  t.is(await registration.exit, 0, registration.stderr)
  t.is(registration.stdout, 'Registered ada@example.com and logged in.\n')
  await gateway.says('lost')
  // A worker that starts now finds the others, and they find it.
  await processes.start('processor')
  const answer = processes.run('client', ['ask', QUESTION])
  t.is(await answer.exit, 0, answer.stderr)
  t.is(answer.stdout, ANSWER)
})
