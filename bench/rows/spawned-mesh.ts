import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../config/load-config.js'
import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { ClientFolder } from '../../facilities/home/client-folder.js'
import { MeshNetwork } from '../../facilities/network/mesh-network.js'
import { workerEnvironment } from '../../facilities/process/child-environment.js'
import { ResourceStack } from '../../facilities/worker/resource-stack.js'
import { openClientHost } from '../../facilities/worker/worker-host.js'
import { ClientWorker } from '../../workers/client/client-worker.js'
import { MeshWorker } from '../../workers/mesh/mesh-worker.js'

/** Not the default port, so that benchmarks do not disturb a running mesh. */
const BOOTSTRAP_PORT = 28_747

/** Answers that the processor generates at the same time. */
export const SLOTS = 8

/** Environment variables that set no limit on the requests of one user. */
const UNLIMITED: Readonly<Record<string, string>> = {
  STARLING_GATEWAY__RATE_LIMIT__PER_MINUTE: '0',
  STARLING_GATEWAY__ANSWERS_PER_USER: '1000',
  STARLING_PROCESSOR__SLOTS: String(SLOTS),
}

/** How a mesh of processes is started. */
export interface SpawnedMeshOptions {
  /** Environment variables of the workers. Default: no limit on the requests of one user. */
  readonly settings?: Readonly<Record<string, string>>
  /** Default: 1. */
  readonly processors?: number
  /** A home, which is not removed. Default: a new one, which is removed when the mesh is closed. */
  readonly home?: string
}

/** A mesh of processes with a home of its own, and a client in this process. */
export interface SpawnedMesh {
  readonly client: ClientWorker
  readonly home: string
  readonly bootstrapPort: number
  readonly modelsDirectory: string
  /** The process id of the first worker of that name: `gateway`. */
  processId(name: string): number
  /** The process id of the engine of the first processor. */
  engineProcessId(): number
  /** The absolute path of a worker's log. */
  logFile(name: string): string
  /** Kills the processor (SIGKILL). Resolves when it was restarted and has loaded its model. */
  restartProcessor(): Promise<void>
  close(): Promise<void>
}

/** Starts auth, gateway and processors as `npm start` does, and logs in a client. */
export async function spawnMesh(options: SpawnedMeshOptions = {}): Promise<SpawnedMesh> {
  const { settings = UNLIMITED, processors = 1 } = options
  const environment = {
    ...process.env,
    ...settings,
    STARLING_NETWORK__BOOTSTRAP_PORT: String(BOOTSTRAP_PORT),
    STARLING_PROCESSOR__FIND_OLLAMA: 'false',
  }
  const directory = options.home ?? (await mkdtemp(join(tmpdir(), 'starling-bench-')))
  const config = loadConfig({ environment, flags: { home: directory } })
  const resources = new ResourceStack()
  const logFile = (name: string) => join(directory, `${name}.log`)
  const worker = (name: string, role: 'auth' | 'gateway' | 'processor') => ({
    name,
    script: join(import.meta.dirname, '..', '..', 'workers', `${role}.js`),
    flags: ['--home', directory],
    environment: workerEnvironment(role, environment),
  })
  const mesh = new MeshWorker({
    plan: [
      worker('auth', 'auth'),
      worker('gateway', 'gateway'),
      ...Array.from({ length: processors }, (_, index) =>
        worker(index === 0 ? 'processor' : `processor-${index + 1}`, 'processor'),
      ),
    ],
    logFileOf: logFile,
    drainTimeoutMs: config.network.drainTimeoutMs,
    clock: new SystemClock(),
    random: new SystemRandom(),
  })
  const close = async () => {
    await resources.close()
    if (options.home === undefined) await rm(directory, { recursive: true, force: true })
  }
  try {
    await resources.open(mesh)
    await mesh.serving()
    const host = await openClientHost({ ...config, home: directory })
    const folder = await ClientFolder.open(host.home, new SystemRandom())
    await folder.ensureLocalAccount()
    const network = new MeshNetwork({ ...host, settings: config.network })
    const client = new ClientWorker({
      ...host,
      gateways: network.peers('gateway'),
      folder,
      lookedFor: 'the gateway of the benchmark',
      waitMs: 10_000,
      onWaiting: () => undefined,
    })
    await resources.open(network)
    return {
      client,
      home: directory,
      bootstrapPort: BOOTSTRAP_PORT,
      modelsDirectory: host.home.path('models'),
      processId: (name) => processIdOf(`${name}.js`, directory),
      engineProcessId: () => childProcessIdOf(processIdOf('processor.js', directory)),
      logFile,
      async restartProcessor() {
        const serving = new Promise<void>((resolve) => {
          mesh.on('serving', function onServing(name: string) {
            if (name !== 'processor') return
            mesh.off('serving', onServing)
            resolve()
          })
        })
        process.kill(processIdOf('processor.js', directory), 'SIGKILL')
        await serving
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function processIdOf(entry: string, home: string): number {
  const process = processes().find(({ args }) => args.includes(entry) && args.includes(home))
  if (process === undefined) throw new Error(`No ${entry} runs in ${home}`)
  return process.id
}

/** The engine of a processor. */
function childProcessIdOf(processorId: number): number {
  const process = processes().find(
    ({ parentId, args }) => parentId === processorId && args.includes('llama-child.js'),
  )
  if (process === undefined) throw new Error(`Process ${processorId} runs no engine`)
  return process.id
}

/** All processes of this machine. */
function processes(): { id: number; parentId: number; args: string }[] {
  return execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => {
      const [id = '', parentId = '', ...args] = line.trim().split(/\s+/)
      return { id: Number(id), parentId: Number(parentId), args: args.join(' ') }
    })
}
