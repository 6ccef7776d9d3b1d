import { readFile, stat } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { freeTcpPort } from '../helpers/network/tcp-port.js'
import { isRunning } from '../helpers/processes/process-gone.js'
import { WorkerProcesses } from '../helpers/processes/worker-processes.js'
import { Shared } from '../helpers/shared.js'
import { untilItWorks } from '../helpers/until.js'
import { ask, becomes, scrape } from '../helpers/upstream/http-probe.js'

const QUESTION = 'What is the capital of France?'

/** What a service's environment may hold, and who of a mesh may have it. */
const SECRETS = {
  AWS_SECRET_ACCESS_KEY: 'nobody',
  NVIDIA_API_KEY: 'nobody',
  SSH_AUTH_SOCK: 'nobody',
  STARLING_PROCESSOR__HUB_TOKEN: 'processor',
  STARLING_AUTH__MAX_WAITING_HASHES: '63',
}

const ANSWER = 'The capital of France is Paris.\n'

/** A mesh with two processors that several tests look at and harm; the last one ends it. */
const shared = new Shared(async (scope) => {
  const processes = await WorkerProcesses.create(scope, SECRETS)
  await processes.provideModel()
  const port = await freeTcpPort()
  const flags = `--processors 2 --model minimind2-small --metrics-port ${port} --log-level trace`
  const start = `ulimit -c unlimited; exec ${process.execPath} workers/mesh.js ${flags}`
  const mesh = processes.spawn('sh', ['-c', start])
  await mesh.says('The mesh serves', 60_000)
  return { processes, mesh, port }
})

/** What Linux tells about a process: what `ps` shows to every user, and what it leaves when it crashes. */
async function processFacts(processId: number) {
  const read = (name: string) => readFile(`/proc/${processId}/${name}`, 'utf8')
  const environment = (await read('environ')).split('\0').filter((entry) => entry !== '')
  const limit = /^Max core file size\s+(\S+)/m.exec(await read('limits'))?.[1]
  return {
    commandLine: (await read('cmdline')).split('\0').slice(0, -1),
    environment: new Map(
      environment.map((entry): [string, string] => {
        const end = entry.indexOf('=')
        return [entry.slice(0, end), entry.slice(end + 1)]
      }),
    ),
    /** The size of its core files, in bytes: the soft limit. */
    coreLimit: limit ?? 'unknown',
    /** Which kinds of memory a core dump has, as a bit mask. */
    coreFilter: Number.parseInt(await read('coredump_filter'), 16),
  }
}

/** Looks at every process of a mesh that was started with {@link SECRETS} and core dumps allowed. */
async function assertSecretsKept(t: Test, processes: WorkerProcesses, mesh: number) {
  for (const [script, count] of Object.entries(PROCESSES)) {
    const started = (await processes.everyProcess(script)).filter((pid) => pid !== mesh)
    t.is(started.length, count, script)
    for (const pid of started) {
      const { environment, commandLine } = await processFacts(pid)
      const given = Object.keys(SECRETS).filter((name) => environment.has(name))
      t.alike(given, GIVEN[script] ?? [], `${script} has what it needs`)
      t.absent(commandLine.includes('minimind2-small'), `${script}: no model address in the list`)
    }
  }
  for (const pid of await processes.everyProcess()) {
    const { coreLimit, coreFilter, commandLine } = await processFacts(pid)
    t.alike([coreLimit, coreFilter], ['0', 0], `${commandLine[1]} leaves no core file`)
  }
}

/** Asks two processors, by their ports for metrics, what each may take of this machine. */
async function assertMachineShared(t: Test, ports: readonly number[]) {
  const metrics = async (name: string) =>
    await Promise.all(
      ports.map(async (port) => (await scrape(port)).get(`starling_processor_${name}`) ?? 0),
    )
  const threads = Math.floor(availableParallelism() / 2)
  // The first one was alone for a moment.
  const isShared = async () => Math.min(...(await metrics('thread_share'))) === Math.max(1, threads)
  await untilItWorks('the shares', async () => {
    if (!(await isShared())) throw new Error('not yet')
  })
  const [one = 0, other = 0] = await metrics('memory_share_bytes')
  t.is(one, other)
  t.ok(one > 0 && one + other < totalmem())
  for (const taken of await metrics('memory_taken_bytes')) t.ok(taken > 0 && taken <= one)
}

const PROCESSES = { 'auth.js': 1, 'gateway.js': 1, 'processor.js': 2, 'llama-child.js': 2 }

const GIVEN: Readonly<Record<string, readonly string[]>> = {
  'auth.js': ['STARLING_AUTH__MAX_WAITING_HASHES'],
  'processor.js': ['STARLING_PROCESSOR__HUB_TOKEN'],
}

test('should answer with a real model and leave nothing behind when asked on the command line', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  const mesh = processes.run('mesh', ['--ask', QUESTION])
  t.is(await mesh.exit, 0)
  t.is(mesh.stdout, ANSWER)
  t.ok(mesh.stderr.includes('converting'), 'the first start shows that the model is prepared')
  t.ok(mesh.stderr.includes('processor: minimind2-small is a toy'), mesh.stderr)
  t.alike(await processes.processes(), [])

  for (const secret of [
    'mesh/root.key',
    'mesh/secret.key',
    'client/local-account.json',
    'client/session.json',
  ]) {
    const { mode } = await stat(join(processes.home, secret))
    t.is(mode & 0o777, 0o600, secret)
  }
  const logs = await readFile(join(processes.home, 'logs', 'gateway.log'), 'utf8')
  t.absent(logs.includes('capital'), 'no prompt stands in a log')

  const again = processes.run('mesh', ['--ask', QUESTION, '--json'])
  let clients: number[] = []
  while (clients.length === 0) clients = await processes.processes('client.js')
  const { commandLine } = await processFacts(clients[0] ?? 0)
  t.absent(commandLine.join(' ').includes('capital'), 'no prompt stands in the list of processes')
  t.is(await again.exit, 0)
  t.absent(again.stderr.includes('converting'), 'the model is prepared once')
  const lines = again.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.is(lines.map(({ text }) => text ?? '').join(''), 'The capital of France is Paris.')
  t.is(lines.at(-1).type, 'end')
  t.is(lines.at(-1).model, 'minimind2-small')
})

test('should pass its workers their secrets and their shares of the machine when it serves without a terminal', async (t) => {
  t.timeout(90_000)
  const { processes, mesh, port } = await shared.get()
  await assertSecretsKept(t, processes, mesh.pid)
  await assertMachineShared(t, [port + 2, port + 3])
  const status = processes.run('client', ['status', '--json'])
  t.is(await status.exit, 0)
  const found = status.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .flatMap(({ type, role }) => (type === 'worker' ? [role] : []))
  t.alike(found.sort(), ['auth', 'gateway', 'processor', 'processor'])
})

test('should give every worker of a mesh its own port and log no prompt and no answer', async (t) => {
  t.timeout(60_000)
  const { processes, mesh, port } = await shared.get()
  for (const [index, role] of ['auth', 'gateway', 'processor', 'processor'].entries()) {
    await becomes(port + index, '200')
    const { body } = await ask(port + index, '/metrics')
    t.ok(body.includes(`starling_worker_info{role="${role}"`), role)
  }
  const answer = processes.run('client', ['ask', QUESTION])
  t.is(await answer.exit, 0)
  t.is(answer.stdout, ANSWER)

  const read = (path: string) => readFile(join(processes.home, path), 'utf8')
  const { password } = JSON.parse(await read('client/local-account.json'))
  const { token } = JSON.parse(await read('client/session.json'))
  t.ok(password && token)
  const names = ['auth', 'gateway', 'processor', 'processor-2']
  const logs = await Promise.all(names.map((name) => read(`logs/${name}.log`)))
  t.ok(logs[0]?.includes('auth.login') && logs[1]?.includes('gateway.infer'))
  t.ok(logs[2]?.includes('processor.load'), 'everything is logged')
  const everything = [...logs, mesh.stderr, mesh.stdout, answer.stderr].join('')
  for (const secret of [password, token, QUESTION, 'capital', 'Paris']) {
    t.absent(everything.includes(secret), secret)
  }
})

test('should restart a worker and say so when it is killed', async (t) => {
  t.timeout(90_000)
  const { processes, mesh, port } = await shared.get()
  const ports = { gateway: port + 1, processor: port + 2, auth: port }
  for (const [worker, ownPort] of Object.entries(ports)) {
    const [pid] = await processes.processes(`--metrics-port ${ownPort}`)
    process.kill(pid ?? 0, 'SIGKILL')
    await mesh.says(`${worker} ended unexpectedly (SIGKILL)`)
    await mesh.says(`${worker} serves again`, 60_000)
    const answer = processes.run('client', ['ask', QUESTION])
    t.is(await answer.exit, 0, `after ${worker} was killed: ${answer.stderr}`)
    t.is(answer.stdout, ANSWER)
  }
})

test('should end all workers when the mesh itself is killed', async (t) => {
  t.timeout(60_000)
  t.teardown(async () => await shared.end())
  const { processes, mesh } = await shared.get()
  const workers = await processes.processes()
  t.is(workers.length, 4)
  await mesh.kill()
  await processes.allGone()
  for (const pid of workers) t.absent(await isRunning(pid))
})

test('should use the workers that already run, start the missing ones, and leave the others running', async (t) => {
  t.timeout(90_000)
  const processes = await WorkerProcesses.create(t)
  await processes.provideModel()
  const auth = await processes.start('auth')
  const mesh = processes.run('mesh')
  await mesh.says(': auth; starting: gateway, processor.')
  await mesh.says('The mesh serves')
  const workers = await processes.processes()
  t.is(workers.length, 2, 'the one that runs already is none of its own')

  const [asked, piped, neither] = [
    processes.run('mesh', ['--ask', QUESTION]),
    // More than a user may ask: the machine is its owner's.
    processes.run('mesh', ['--json'], `${QUESTION}\n/new\n`.repeat(12)),
    processes.run('mesh', ['--model', 'none']),
  ]
  t.is(await asked.exit, 0, asked.stderr)
  t.is(asked.stdout, ANSWER)
  t.is(await piped.exit, 0, piped.stdout)
  t.is(piped.stdout.split('"type":"end"').length, 13)
  t.is(await neither.exit, 0)
  t.ok(neither.stderr.includes('flags for processors have no effect'), neither.stderr)
  for (const { stderr } of [asked, piped, neither]) {
    t.ok(stderr.includes(`The mesh of ${processes.home} is already running`), stderr)
    t.is(stderr.trimEnd().split('\n').length, 1, 'in one line')
  }
  t.alike(await processes.processes(), workers, 'they run on')

  mesh.process.kill('SIGTERM')
  t.is(await mesh.exit, 0)
  t.alike(await processes.processes(), [])
  auth.process.kill('SIGTERM')
  t.is(await auth.exit, 0)
})

test('should leave nothing behind when the mesh is killed in its first moments', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  for (const found of [1, 2, 3]) {
    const mesh = processes.run('mesh')
    // As soon as so many workers exist: they are still loading their code then.
    while ((await processes.processes()).length < found);
    const workers = await processes.processes()
    await mesh.kill()
    await processes.allGone()
    for (const pid of workers) t.absent(await isRunning(pid))
  }
})
