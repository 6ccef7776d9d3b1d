import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import { freeTcpPort, takenTcpPort } from '../helpers/network/tcp-port.js'
import { WorkerProcesses } from '../helpers/processes/worker-processes.js'
import { ask, becomes, readiness, scrape } from '../helpers/upstream/http-probe.js'

const QUESTION = 'What is the capital of France?'

test('should say why a gateway is not ready until its mesh is there, and count its answer', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  const port = await freeTcpPort()
  const gateway = processes.run('gateway', ['--metrics-port', String(port)])
  await becomes(port, '503 AUTH_UNAVAILABLE MODEL_UNAVAILABLE', 15_000)
  t.is((await ask(port, '/healthz')).status, 200)
  processes.run('auth')
  await becomes(port, '503 MODEL_UNAVAILABLE', 15_000)
  processes.run('processor')
  await becomes(port, '200', 30_000)

  const account = ['--email', 'ada@example.com', '--password-stdin']
  t.is(await processes.run('client', ['register', ...account], 'correct horse\n').exit, 0)
  t.is(await processes.run('client', ['ask', QUESTION]).exit, 0)
  const samples = await scrape(port)
  t.is(samples.get('starling_calls_total{method="gateway.infer",code="OK"}'), 1)
  t.is(samples.get('starling_ready'), 1)
  t.ok(samples.has('process_resident_memory_bytes'))
  await gateway.says('answered {"method":"gateway.infer","requestId":"req_')
  t.absent(gateway.stderr.includes('France'), 'the prompt is not logged')

  gateway.process.kill('SIGTERM')
  t.is(await gateway.exit, 0)
  t.is(await readiness(port), 'nobody there')
})

test('should name the port and end when another program has it', async (t) => {
  const processes = await WorkerProcesses.create(t)
  const port = await takenTcpPort(t)
  const gateway = processes.run('gateway', ['--metrics-port', String(port)])
  t.is(await gateway.exit, 1)
  t.ok(gateway.stderr.includes(`TCP port ${port} on 127.0.0.1 is used by another program`))
  t.ok(gateway.stderr.includes('PORT_UNAVAILABLE'))
})

test('should give every worker of a mesh a port of its own and log nothing that was said', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  const port = await freeTcpPort()
  const flags = ['--metrics-port', String(port), '--log-level', 'trace']
  const mesh = processes.run('mesh', flags)
  await mesh.says('The mesh serves', 30_000)
  for (const [index, role] of ['auth', 'gateway', 'processor'].entries()) {
    await becomes(port + index, '200')
    const { body } = await ask(port + index, '/metrics')
    t.ok(body.includes(`starling_worker_info{role="${role}"`), role)
  }
  const answer = processes.run('client', ['ask', QUESTION])
  t.is(await answer.exit, 0)
  t.is(answer.stdout, 'The capital of France is Paris.\n')

  const read = (path: string) => readFile(join(processes.home, path), 'utf8')
  const { password } = JSON.parse(await read('client/local-account.json'))
  const { token } = JSON.parse(await read('client/session.json'))
  t.ok(password && token)
  const logs = await Promise.all(
    ['auth', 'gateway', 'processor'].map((name) => read(`logs/${name}.log`)),
  )
  t.ok(logs[0]?.includes('auth.login') && logs[1]?.includes('gateway.infer'))
  t.ok(logs[2]?.includes('processor.load'), 'everything is logged')
  const everything = [...logs, mesh.stderr, mesh.stdout, answer.stderr].join('')
  for (const secret of [password, token, QUESTION, 'capital', 'Paris']) {
    t.absent(everything.includes(secret), secret)
  }
  mesh.process.kill('SIGTERM')
  t.is(await mesh.exit, 0)
})
