import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../facilities/clock/clock.js'
import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { ClientFolder } from '../../facilities/home/client-folder.js'
import { Home } from '../../facilities/home/home.js'
import { MeshLock, runningWorkers } from '../../facilities/home/running-workers.js'
import { type Environment, workerEnvironment } from '../../facilities/process/child-environment.js'
import { EXIT_CODES } from '../../facilities/process/exit-codes.js'
import type { ProcessLife } from '../../facilities/process/process-life.js'
import type { ResourceStack } from '../../facilities/worker/resource-stack.js'
import { ClientChild } from './client-child.js'
import { MeshOutput } from './mesh-output.js'
import { missingFrom, planOf } from './mesh-plan.js'
import { MeshWorker, type WorkerPlan } from './mesh-worker.js'

/** How long to wait for data in a pipe before the mesh starts to serve without a client. */
const PIPE_PATIENCE_MS = 500

/** How long to wait for data in a pipe before a prompt is sent without it. */
const PROMPT_PATIENCE_MS = 10_000

/** How a mesh is started. */
export interface MeshSettings {
  readonly home: string
  readonly processors: number
  /** A prompt, or `-` to read it from standard input. The mesh ends with the answer. */
  readonly ask: string | undefined
  /** The first of the ports for metrics, one per worker; 0: none. */
  readonly metricsPort: number
  /** How long workers may drain when they are stopped, in milliseconds. */
  readonly drainTimeoutMs: number
  /** Whether a program reads the output. */
  readonly json: boolean
  /** The flags of all workers, without the home. */
  readonly workerFlags: readonly string[]
  /** The environment of this process. Each worker gets a part of it. */
  readonly environment: Environment
  /** Additional variables for processors: the models and engines that they run. */
  readonly processorVariables: Readonly<Record<string, string>>
  /** The flags of the client, without the home. */
  readonly clientFlags: readonly string[]
}

/**
 * Runs a mesh on this machine: an auth worker, a gateway, processors, and a client if there is a prompt, a
 * terminal or piped input. Workers of the home that are already running are used and left running.
 *
 * @param life ends with the client
 * @throws StarlingError why a worker could not start
 */
export async function runMesh(
  resources: ResourceStack,
  life: ProcessLife,
  settings: MeshSettings,
): Promise<void> {
  const clock = new SystemClock()
  const home = await Home.open(settings.home)
  await (await ClientFolder.open(home, new SystemRandom())).ensureLocalAccount()
  const output = new MeshOutput(process.stderr)
  const pipe = process.stdin.isTTY || settings.ask === '-' ? null : new PipeWatch(process.stdin)

  const homeFlags = ['--home', home.directory]
  const plan = planOf({ ...settings, entry, flags: [...homeFlags, ...settings.workerFlags] })
  const lock = await resources.open(new MeshLock(home))
  const missing = lock.isHeld ? missingFrom(plan, await runningWorkers(home)) : []
  if (missing.length < plan.length) output.note(joining(home, plan, missing, settings))

  const mesh = await startWorkers(resources, { home, missing, output, clock, settings })
  const openClient = (isPiped: boolean) => {
    const flags = [...homeFlags, ...settings.clientFlags]
    const { ask } = settings
    const client = new ClientChild({
      script: entry('client'),
      parameters: ask === undefined ? flags : ['ask', ...flags, '-'],
      environment: workerEnvironment('client', settings.environment),
      prompt: ask === '-' ? undefined : ask,
      input: isPiped ? process.stdin : undefined,
      clock,
    })
    return follow(client, { resources, life })
  }
  if (pipe === null) {
    const client = await openClient(false)
    const isChat = settings.ask === undefined && !settings.json
    output.noteBy((text) => isChat && client.notify(text))
    return
  }
  const patienceMs = settings.ask === undefined ? PIPE_PATIENCE_MS : PROMPT_PATIENCE_MS
  const first = await Promise.race([pipe.settled, clock.sleep(patienceMs)])
  if (first === 'something' || settings.ask !== undefined) {
    await openClient(first === 'something')
  } else if (mesh === null) {
    life.end(EXIT_CODES.done)
  } else {
    output.note(`The mesh serves from ${home.directory}; a signal stops it.`)
    void pipe.settled.then((state) => (state === 'something' ? openClient(true) : null))
  }
}

/** Starts the missing workers. @returns null if there are none */
async function startWorkers(
  resources: ResourceStack,
  options: {
    home: Home
    missing: readonly WorkerPlan[]
    output: MeshOutput
    clock: Clock
    settings: MeshSettings
  },
): Promise<MeshWorker | null> {
  const { home, missing, output, clock, settings } = options
  if (missing.length === 0) {
    output.end()
    return null
  }
  const logs = await home.folder('logs')
  const mesh = new MeshWorker({
    plan: missing,
    logFileOf: (name) => `${logs}/${name}.log`,
    drainTimeoutMs: settings.drainTimeoutMs,
    clock,
    random: new SystemRandom(),
  })
  mesh.on('progress', (worker: string, activity: string, fraction: number) =>
    output.show(worker, activity, fraction),
  )
  // Processors with the same settings send the same notices.
  const told = new Set<string>()
  let isStarting = true
  mesh.on('notice', (worker: string, text: string) => {
    if (!told.has(text)) output.note(`${worker}: ${text}`)
    if (isStarting) told.add(text)
  })
  mesh.on('exit', (worker: string, how: string, restartInMs: number) =>
    output.restarts(worker, how, restartInMs, logs),
  )
  try {
    await resources.open(mesh)
    await mesh.serving()
    isStarting = false
  } finally {
    // Before an error, which must be the last output.
    output.end()
  }
  mesh.on('serving', (worker: string) => output.note(`${worker} serves again`))
  return mesh
}

/** Starts a client. The mesh ends with it. */
async function follow(
  client: ClientChild,
  { resources, life }: { resources: ResourceStack; life: ProcessLife },
): Promise<ClientChild> {
  await resources.open(client)
  // The terminal sends Ctrl-C to both processes, and only the client knows what to stop.
  life.leaveInterrupts()
  void client.finished.then((exitCode) => life.end(exitCode))
  return client
}

/** A line about the workers that are already running. */
function joining(
  home: Home,
  plan: readonly WorkerPlan[],
  missing: readonly WorkerPlan[],
  { processorVariables }: MeshSettings,
): string {
  if (missing.length > 0) {
    const names = (workers: readonly WorkerPlan[]) => workers.map(({ name }) => name).join(', ')
    const running = plan.filter((worker) => !missing.includes(worker))
    return `Already running in ${home.directory}: ${names(running)}; starting: ${names(missing)}.`
  }
  const isUnused = Object.keys(processorVariables).length > 0
  const unused = isUnused ? ' The flags for processors have no effect.' : ''
  return `The mesh of ${home.directory} is already running; it is used and keeps running afterwards.${unused}`
}

/** The absolute path of a worker's entry. */
function entry(role: 'auth' | 'gateway' | 'processor' | 'client'): string {
  return fileURLToPath(new URL(`../${role}.js`, import.meta.url))
}

/** Finds out whether a pipe contains data, without reading it. */
export class PipeWatch {
  /** Resolves when data arrives or the pipe ends. It may never resolve. */
  readonly settled: Promise<'something' | 'nothing'>

  constructor(input: Readable) {
    this.settled = new Promise((resolve) => {
      input.once('readable', () => resolve(input.readableLength > 0 ? 'something' : 'nothing'))
      for (const event of ['error', 'close']) input.once(event, () => resolve('nothing'))
    })
  }
}
