import { fileURLToPath } from 'node:url'
import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { ClientFolder } from '../../facilities/home/client-folder.js'
import { Home } from '../../facilities/home/home.js'
import type { ResourceStack } from '../../facilities/process/resource-stack.js'
import type { WorkerLife } from '../../facilities/process/run-worker.js'
import { type Environment, workerEnvironment } from '../../helpers/child-environment.js'
import { ClientChild } from './client-child.js'
import { MeshWorker, type WorkerPlan } from './mesh-worker.js'
import { StartProgress } from './start-progress.js'

/** How a mesh is started. */
export interface MeshSettings {
  readonly home: string
  readonly processors: number
  /** A question to answer, or `-` to read it from standard input; the mesh ends with the answer. */
  readonly ask: string | undefined
  /** The first of the ports that workers serve metrics on, one each; 0: none do. */
  readonly metricsPort: number
  /** What every worker is started with besides its home. */
  readonly workerFlags: readonly string[]
  /** The environment of this process. Each worker gets a part of it. */
  readonly environment: Environment
  /** Additional variables for processors: the models and engines that they run. */
  readonly processorVariables: Readonly<Record<string, string>>
  /** What the client is started with besides its home. */
  readonly clientFlags: readonly string[]
}

/**
 * Brings up a whole mesh on this machine: an auth worker, a gateway, processors, and, where somebody
 * asks or sits at a terminal, a client.
 *
 * @param life ends with the client
 * @throws StarlingError what a worker could not start for
 */
export async function runMesh(
  resources: ResourceStack,
  life: WorkerLife,
  settings: MeshSettings,
): Promise<void> {
  const clock = new SystemClock()
  const random = new SystemRandom()
  const home = await Home.open(settings.home)
  await (await ClientFolder.open(home, random)).ensureLocalAccount()
  const logs = await home.folder('logs')
  const homeFlags = ['--home', home.directory]

  const progress = new StartProgress(process.stderr)
  const mesh = new MeshWorker({
    plan: planOf(settings, [...homeFlags, ...settings.workerFlags]),
    logFileOf: (name) => `${logs}/${name}.log`,
    clock,
    random,
  })
  mesh.on('progress', (worker: string, activity: string, fraction: number) =>
    progress.show(worker, activity, fraction),
  )
  mesh.on('exit', (worker: string, how: string, restartInMs: number) =>
    progress.note(
      `${worker} ended unexpectedly (${how}) and is started again in ${restartInMs} ms; ` +
        `its log is in ${logs}`,
    ),
  )
  try {
    await resources.open(mesh)
    await mesh.serving()
  } finally {
    // Why a start failed is to be the last that is said.
    progress.end()
  }
  mesh.on('serving', (worker: string) => progress.note(`${worker} serves again`))

  if (settings.ask === undefined && !process.stdin.isTTY) {
    progress.note(`The mesh serves from ${home.directory}; a signal ends it.`)
    return
  }
  const clientFlags = [...homeFlags, ...settings.clientFlags]
  const client = await resources.open(
    new ClientChild({
      script: entry('client'),
      parameters: settings.ask === undefined ? clientFlags : ['ask', ...clientFlags, '-'],
      environment: workerEnvironment('client', settings.environment),
      question: settings.ask === '-' ? undefined : settings.ask,
      clock,
    }),
  )
  // Both are sent Ctrl-C by the terminal, and only the client knows what it is to end.
  life.leaveInterrupts()
  void client.finished.then((exitCode) => life.end(exitCode))
}

function planOf(settings: MeshSettings, flags: readonly string[]): WorkerPlan[] {
  const worker = (name: string, role: 'auth' | 'gateway' | 'processor'): WorkerPlan => ({
    name,
    script: entry(role),
    flags,
    environment: {
      ...workerEnvironment(role, settings.environment),
      ...(role === 'processor' && settings.processorVariables),
    },
  })
  const plan: WorkerPlan[] = [
    worker('auth', 'auth'),
    worker('gateway', 'gateway'),
    ...Array.from({ length: settings.processors }, (_, index) =>
      worker(index === 0 ? 'processor' : `processor-${index + 1}`, 'processor'),
    ),
  ]
  const { metricsPort } = settings
  if (metricsPort === 0) return plan
  // They cannot share the one that the file or the environment names.
  return plan.map((worker, index) => ({
    ...worker,
    flags: [...worker.flags, '--metrics-port', String(metricsPort + index)],
  }))
}

/** The absolute path of a worker's entry. */
function entry(role: 'auth' | 'gateway' | 'processor' | 'client'): string {
  return fileURLToPath(new URL(`../${role}.js`, import.meta.url))
}
