import test, { type Test } from 'brittle'
import { freeTcpPort } from '../helpers/network/tcp-port.js'
import { type Running, WorkerProcesses } from '../helpers/processes/worker-processes.js'
import { SmallDisk, smallDiskUnavailable } from '../helpers/storage/small-disk.js'
import { ask, readiness } from '../helpers/upstream/http-probe.js'

const PASSWORD = 'correct horse battery\n'
const withoutDisk = await smallDiskUnavailable()

/** Fills a disk, or says in the test's own line why there is none to be filled here. */
function diskTest(name: string, run: (t: Test) => Promise<void>): void {
  if (withoutDisk === null) test(name, run)
  else test.skip(`${name}: ${withoutDisk}`, run)
}

function lastLine(client: Running): Record<string, unknown> {
  return JSON.parse(client.stdout.trim().split('\n').at(-1) ?? '')
}

diskTest(
  'should report a full disk everywhere, continue with logins, and register again when there is room',
  async (t) => {
    t.timeout(60_000)
    const processes = await WorkerProcesses.create(t)
    const port = await freeTcpPort()
    const [disk] = await Promise.all([
      SmallDisk.start(processes, 'auth', ['--metrics-port', String(port)]),
      processes.start('gateway'),
    ])
    const account = async (
      command: 'register' | 'login',
      name: string,
    ): Promise<Record<string, unknown>> => {
      const parameters = [command, '--email', `${name}@example.com`, '--password-stdin', '--json']
      const client = processes.run('client', parameters, PASSWORD)
      const exitCode = await client.exit
      return { exitCode, ...lastLine(client) }
    }
    t.is((await account('register', 'ada')).exitCode, 0)

    await disk.fill()
    // What is left of the last block may be enough for one or two.
    let refusal: Record<string, unknown> = {}
    for (let tries = 0; tries < 4 && refusal.code === undefined; tries += 1) {
      refusal = await account('register', `bob-${tries}`)
    }
    t.alike([refusal.code, refusal.retryable], ['DISK_FULL', true])
    t.absent(String(refusal.message).includes(processes.home), 'nothing internal')
    t.is((await account('login', 'ada')).exitCode, 0, 'who is known can log in')
    t.is(await readiness(port), '503 DISK_FULL')
    const { body } = await ask(port, '/readyz')
    t.ok(/The disk of \/.*\/auth\/store is full: \d+ bytes are free/.test(body), body)
    const status = processes.run('client', ['status'])
    await status.exit
    t.ok(/^auth .* not ready: The disk of the worker is full \(DISK_FULL\)$/m.test(status.stdout))
    t.is(disk.worker.stderr.match(/the store cannot be written/g)?.length, 1, 'logged once')

    await disk.free()
    await disk.worker.says('the store can be written again')
    t.is((await account('register', 'cleo')).exitCode, 0)
    t.is((await account('login', 'cleo')).exitCode, 0)
    t.is((await account('login', 'ada')).exitCode, 0)
    t.is(await readiness(port), '200')
  },
)

diskTest('should name what is full when a worker starts on a full disk', async (t) => {
  t.timeout(60_000)
  const processes = await WorkerProcesses.create(t)
  // With room for so many files and folders: for none, for most of them, for the first.
  const starts = [
    SmallDisk.startFull(processes, 1, ['gateway']),
    SmallDisk.startFull(processes, 8, ['auth']),
    SmallDisk.startFull(processes, 4, ['mesh', '--ask', 'Hello?']),
  ]
  for (const worker of starts) {
    t.is(await worker.exit, 1, `${worker}`)
    const [reason = '', whatToDo = ''] = worker.stderr.trimEnd().split('\n').slice(-2)
    t.ok(/is full.* \(DISK_FULL\)$/.test(reason), reason)
    t.ok(reason.includes(processes.home), reason)
    t.ok(whatToDo.includes('Make room'), whatToDo)
    t.absent(worker.stderr.includes('    at '), 'no stack')
  }
})
