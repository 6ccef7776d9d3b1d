import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import { WorkerProcesses } from '../helpers/processes/worker-processes.js'
import { foundMesh } from '../helpers/workers/mesh-home.js'

const WORKERS = ['auth', 'gateway', 'processor', 'client', 'mesh']

test('should explain itself when asked for help or its version', async (t) => {
  const processes = await WorkerProcesses.create(t)
  const asked = WORKERS.map((worker) => ({
    worker,
    help: processes.run(worker, ['--help']),
    version: processes.run(worker, ['--version']),
  }))
  for (const { worker, help, version } of asked) {
    t.is(await help.exit, 0, worker)
    for (const flag of ['--home', '--config', '--log-level', '--json', '--version']) {
      t.ok(help.stdout.includes(flag), `${worker} ${flag}`)
    }
    t.is(await version.exit, 0, worker)
    t.is(version.stdout, '0.1.0\n')
  }
})

test('should exit with code 2 and name the error when a command is not understood', async (t) => {
  const processes = await WorkerProcesses.create(t)
  const file = join(processes.home, 'settings.json')
  await writeFile(file, JSON.stringify({ gateway: { loadIntervalMs: 'soon' } }))
  const cases: [worker: string, parameters: string[], named: string][] = [
    ['gateway', ['--nonsense'], '--nonsense'],
    ['gateway', ['--config', file], 'gateway.loadIntervalMs'],
    ['mesh', ['--processors', 'two'], 'whole number'],
    ['client', ['nonsense'], 'nonsense'],
    ['client', ['login'], '--email'],
  ]
  const commands = cases.map(([worker, parameters, named]) => ({
    command: processes.run(worker, parameters),
    named,
  }))
  for (const { command, named } of commands) {
    t.is(await command.exit, 2, String(command))
    t.ok(command.stderr.includes(named), `${command.stderr.trim()} names ${named}`)
    t.absent(command.stderr.includes('    at '), 'no stack')
  }
})

test('should say that there is no mesh, and create none, when the home has none', async (t) => {
  const processes = await WorkerProcesses.create(t)
  const missing = join(processes.home, 'missing')
  const here = [[], ['ask', 'Hello?'], ['logout']].map((words) => processes.run('client', words))
  const elsewhere = processes.run('client', ['status', '--home', missing, '--json'])
  for (const command of here) {
    t.is(await command.exit, 1, String(command))
    t.ok(command.stderr.startsWith(`There is no mesh in ${processes.home} (MESH_NOT_FOUND)`))
    t.ok(command.stderr.includes(`node workers/mesh.js --home ${processes.home}`), command.stderr)
  }
  t.is(await elsewhere.exit, 1)
  const { code, whatToDo } = JSON.parse(elsewhere.stdout)
  t.is(code, 'MESH_NOT_FOUND')
  t.ok(whatToDo.endsWith(`node workers/mesh.js --home ${missing}`), whatToDo)
  t.alike(await readdir(processes.home), [])
})

test('should say what it looked for and for how long when there is no gateway', async (t) => {
  const processes = await WorkerProcesses.create(t)
  await foundMesh(processes.home)
  const file = join(processes.home, 'settings.json')
  await writeFile(file, JSON.stringify({ client: { waitMs: 1500 } }))
  const login = processes.run(
    'client',
    ['login', '--email', 'ada@example.com', '--password-stdin', '--config', file],
    'correct horse battery\n',
  )
  t.is(await login.exit, 1)
  t.ok(/looked for gateways of mesh [0-9a-f]{12}/.test(login.stderr), login.stderr)
  t.ok(/for [1-9]\.\d s/.test(login.stderr), login.stderr)
  t.ok(login.stderr.includes('GATEWAY_NOT_FOUND'))
})

test('should ask to log in when there is no session', async (t) => {
  const processes = await WorkerProcesses.create(t)
  await foundMesh(processes.home)
  const ask = processes.run('client', ['ask', 'Anybody there?'])
  t.is(await ask.exit, 1)
  t.ok(ask.stderr.includes('NOT_LOGGED_IN'))
  t.ok(ask.stderr.includes('register --email'))
})

test('should refuse to start when the role may run only once and already runs', async (t) => {
  const processes = await WorkerProcesses.create(t)
  await processes.start('auth')
  const second = processes.run('auth')
  t.is(await second.exit, 1)
  t.ok(second.stderr.includes('HOME_IN_USE'), second.stderr)
})

test('should say which models there are when asked for one that is not known', async (t) => {
  const processes = await WorkerProcesses.create(t)
  const mesh = processes.run('mesh', ['--model', 'no-such-model', '--ask', 'Hello?'])
  t.is(await mesh.exit, 1)
  t.ok(mesh.stderr.includes('MODEL_NOT_FOUND'), mesh.stderr)
  t.ok(mesh.stderr.includes('minimind2-small'), mesh.stderr)
  t.alike(await processes.processes(), [])
})

test('should exit with code 2 and one JSON object when a command of a program is not understood', async (t) => {
  const processes = await WorkerProcesses.create(t)
  await foundMesh(processes.home)
  const cases: [parameters: string[], code: string, named: string][] = [
    [['nonsense'], 'BAD_USAGE', 'nonsense'],
    [['ask'], 'BAD_USAGE', 'prompt'],
    [['--log-level', 'loud'], 'CONFIG_INVALID', 'logLevel'],
    [['login', '--email', 'ada@example.com'], 'BAD_USAGE', '--password-stdin'],
  ]
  for (const [parameters, code, named] of cases) {
    const command = processes.run('client', [...parameters, '--json'])
    t.is(await command.exit, 2, parameters.join(' '))
    const error = JSON.parse(command.stdout)
    t.is(error.type, 'error')
    t.is(error.code, code)
    t.ok(error.message.includes(named), error.message)
    t.ok(error.whatToDo.length > 0)
    t.is(command.stderr, '')
  }
})

test('should exit without an error, as other commands do, when the reader of its output closes it', async (t) => {
  const processes = await WorkerProcesses.create(t)
  await foundMesh(processes.home)
  const prompts = '/help\\n'.repeat(2_000)
  for (const flags of ['', '--json']) {
    const chat = `{ printf '${prompts}' | ${process.execPath} workers/client.js ${flags}; echo $? >&2; }`
    const shell = processes.spawn('sh', ['-c', `${chat} | head -1`])
    t.is(await shell.exit, 0)
    t.is(shell.stdout.split('\n').length, 2, 'one line')
    t.is(shell.stderr, '141\n', 'as if SIGPIPE had ended it')
  }
})

test('should log out when no worker runs, and say why none is found', async (t) => {
  const processes = await WorkerProcesses.create(t)
  await foundMesh(processes.home)
  const logout = processes.run('client', ['logout'])
  t.is(await logout.exit, 0)
  t.is(logout.stdout, 'There was no session.\n')
  const status = processes.run('client', ['status', '--json'])
  t.is(await status.exit, 1)
  const lines = status.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.is(lines[0].bootstrap.isReachable, false)
  t.alike(
    lines.slice(1, 4).map(({ type, role, reason, whatToDo }) => [type, role, reason, whatToDo]),
    ['auth', 'gateway', 'processor'].map((role) => [
      'missing',
      role,
      'bootstrapUnreachable',
      `node workers/${role}.js --home ${processes.home}`,
    ]),
  )
  t.is(lines[4].code, 'GATEWAY_NOT_FOUND')
})
