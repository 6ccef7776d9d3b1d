import test from 'brittle'
import { freeTcpPort } from '../helpers/network/tcp-port.js'
import { WorkerProcesses } from '../helpers/processes/worker-processes.js'
import { ask, becomes, readiness, scrape } from '../helpers/upstream/http-probe.js'

const QUESTION = 'What is the capital of France?'
const ANSWER = 'The capital of France is Paris.\n'
const EMAIL = ['--email', 'ada@example.com', '--password-stdin']
const PASSWORD = 'correct horse battery\n'

test('should serve a user from the first registration to the logout when workers are started by hand', async (t) => {
  t.timeout(120_000)
  const processes = await WorkerProcesses.create(t)
  await processes.provideModel()
  const port = await freeTcpPort()
  const gateway = processes.run('gateway', ['--metrics-port', String(port)])
  await processes.meshCreated()
  const registration = processes.run('client', ['register', ...EMAIL], PASSWORD)
  // The client is there before auth is, and says what it waits for; so does the gateway.
  await registration.says('No auth worker is connected')
  await becomes(port, '503 AUTH_UNAVAILABLE MODEL_UNAVAILABLE', 15_000)
  t.is((await ask(port, '/healthz')).status, 200)
  const auth = processes.run('auth')
  t.is(await registration.exit, 0)
  await becomes(port, '503 MODEL_UNAVAILABLE', 15_000)
  const processor = processes.run('processor')
  await becomes(port, '200', 60_000)
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

  const samples = await scrape(port)
  t.is(samples.get('starling_calls_total{method="gateway.infer",code="OK"}'), 3)
  t.is(samples.get('starling_ready'), 1)
  t.ok(samples.has('process_resident_memory_bytes'))
  await gateway.says('answered {"method":"gateway.infer","requestId":"req_')
  t.absent(gateway.stderr.includes('France'), 'the prompt is not logged')

  const workers = [processor, gateway, auth]
  for (const worker of workers) worker.process.kill('SIGTERM')
  t.alike(await Promise.all(workers.map(({ exit }) => exit)), [0, 0, 0])
  t.is(await readiness(port), 'nobody there')
  t.alike(await processes.everyProcess(), [])
})
