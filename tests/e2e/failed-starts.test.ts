import { readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { TINY_MODEL_PATH } from '../helpers/engine/tiny-llama.js'
import { occupyUdpPort } from '../helpers/network/local-mesh.js'
import { takenTcpPort } from '../helpers/network/tcp-port.js'
import { type Running, WorkerProcesses } from '../helpers/processes/worker-processes.js'

/** What a start that failed leaves: one reason, what to do, and nothing that runs. */
async function assertFailed(
  t: Test,
  processes: WorkerProcesses,
  command: Running,
  code: string,
  ...named: string[]
): Promise<void> {
  t.is(await command.exit, 1, `${command}`)
  // Before it stand the lines of the log.
  const [reason = '', whatToDo = ''] = command.stderr.trimEnd().split('\n').slice(-2)
  t.ok(reason.endsWith(`(${code})`), reason)
  for (const text of named) t.ok(reason.includes(text), `${reason} names ${text}`)
  t.ok(/^ {2}[A-Z].*\.$|^ {2}[A-Z].*--/.test(whatToDo), whatToDo)
  t.absent(command.stderr.includes('    at '), 'no stack')
  t.is(command.stdout, '')
  t.alike(await processes.everyProcess(), [], 'no process is left')
}

test('should say what is wrong with a model file and leave nothing behind when it cannot be run', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  const whole = await readFile(TINY_MODEL_PATH)
  // A key without which llama.cpp ends the process that it runs in, renamed.
  const aborts = Buffer.from(whole)
  aborts.write('llama.attention.head_cound', aborts.indexOf('llama.attention.head_count'))
  const files: [name: string, content: Uint8Array, ...named: string[]][] = [
    ['text.gguf', Buffer.from('Lorem ipsum dolor sit amet'), 'text.gguf', 'not a GGUF'],
    ['aborts.gguf', aborts, 'llama.attention.head_count'],
  ]
  for (const [name, content, ...named] of files) {
    const path = join(processes.home, name)
    await writeFile(path, content)
    const processor = processes.run('processor', ['--model', path])
    await assertFailed(t, processes, processor, 'MODEL_INVALID', ...named)
  }
  const aborting = ['--model', join(processes.home, 'aborts.gguf'), '--ask', 'Hello?']
  const mesh = processes.run('mesh', aborting)
  await assertFailed(t, processes, mesh, 'MODEL_INVALID', 'processor:', 'head_count')
})

test('should say that the model cannot be written, and continue where there is room, when the disk is full', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  // 10 MB in the blocks that the shell counts in; the model takes 28.
  const start = `ulimit -f 20000; exec ${process.execPath} workers/processor.js`
  const models = join(processes.home, 'models')
  const full = processes.spawn('sh', ['-c', start])
  await assertFailed(t, processes, full, 'MODEL_WRITE_FAILED', 'minimind2-small', models, '28 MB')
  t.alike(await readdir(models), [], 'nothing of it is left')

  const processor = await processes.start('processor')
  t.is((await readdir(models)).filter((name) => name.endsWith('.gguf')).length, 1)
  processor.process.kill('SIGTERM')
  t.is(await processor.exit, 0)
})

test('should say why when the home cannot be used', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  const file = join(processes.home, 'file')
  await writeFile(file, '')
  const link = join(processes.home, 'link')
  await symlink('/nowhere/at/all', link)
  const inTheWay = ['HOME_UNUSABLE', file, 'a file is in the way'] as const
  for (const worker of ['processor', 'mesh']) {
    await assertFailed(t, processes, processes.run(worker, ['--home', file]), ...inTheWay)
  }
  // Nothing can be made in /proc, not even by root.
  for (const [worker, home] of [
    ['auth', join(file, 'home')],
    ['gateway', join(link, 'home')],
    ['auth', '/proc/starling'],
  ] as const) {
    const command = processes.run(worker, ['--home', home])
    await assertFailed(t, processes, command, 'HOME_UNUSABLE', home)
  }
  const ask = processes.run('client', ['ask', 'Hello?', '--home', file])
  await assertFailed(t, processes, ask, 'HOME_UNUSABLE', file)
})

test('should name the port when a program that is not a DHT node uses it', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  const { bootstrapPort: port } = processes
  await occupyUdpPort(t, port)
  const named = ['BOOTSTRAP_UNAVAILABLE', String(port), 'is not a DHT node'] as const
  await assertFailed(t, processes, processes.run('gateway'), ...named)
  await assertFailed(t, processes, processes.run('mesh', ['--ask', 'Hello?']), ...named)
})

test('should name the port and end when another program has it', async (t) => {
  const processes = await WorkerProcesses.create(t)
  const port = await takenTcpPort(t)
  const gateway = processes.run('gateway', ['--metrics-port', String(port)])
  const taken = `TCP port ${port} on 127.0.0.1 is used by another program`
  await assertFailed(t, processes, gateway, 'PORT_UNAVAILABLE', taken)
})
