import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../config/load-config.js'
import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import { ClientFolder } from '../../facilities/home/client-folder.js'
import { MeshNetwork } from '../../facilities/network/mesh-network.js'
import { ResourceStack } from '../../facilities/process/resource-stack.js'
import { openClientHost } from '../../facilities/process/worker-host.js'
import { workerEnvironment } from '../../helpers/child-environment.js'
import { ClientWorker } from '../../workers/client/client-worker.js'
import { MeshWorker } from '../../workers/mesh/mesh-worker.js'

/** Apart from the default port, so that a mesh that runs on this machine is not disturbed. */
const BOOTSTRAP_PORT = 28_747

/** Answers that the processor makes side by side. */
export const SLOTS = 8

/** A mesh of processes with a home of its own, and a client in this process. */
export interface SpawnedMesh {
  readonly client: ClientWorker
  readonly modelsDirectory: string
  /** kill -9 of the processor. Resolves when it was started again and has loaded its model. */
  restartProcessor(): Promise<void>
  close(): Promise<void>
}

/** Starts auth, gateway and one processor as a user does, and logs a client in. */
export async function spawnMesh(): Promise<SpawnedMesh> {
  process.env.STARLING_NETWORK__BOOTSTRAP_PORT = String(BOOTSTRAP_PORT)
  // One user asks as fast as it can.
  process.env.STARLING_GATEWAY__RATE_LIMIT__PER_MINUTE = '0'
  process.env.STARLING_GATEWAY__ANSWERS_PER_USER = '1000'
  process.env.STARLING_PROCESSOR__SLOTS = String(SLOTS)
  process.env.STARLING_PROCESSOR__FIND_OLLAMA = 'false'
  const directory = await mkdtemp(join(tmpdir(), 'starling-bench-'))
  const config = loadConfig({ environment: process.env, flags: { home: directory } })
  const resources = new ResourceStack()
  const mesh = new MeshWorker({
    plan: (['auth', 'gateway', 'processor'] as const).map((name) => ({
      name,
      script: join(import.meta.dirname, '..', '..', 'workers', `${name}.js`),
      flags: ['--home', directory],
      environment: workerEnvironment(name, process.env),
    })),
    logFileOf: (name) => join(directory, `${name}.log`),
    drainTimeoutMs: config.network.drainTimeoutMs,
    clock: new SystemClock(),
    random: new SystemRandom(),
  })
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
    modelsDirectory: host.home.path('models'),
    async restartProcessor() {
      const serving = new Promise<void>((resolve) => {
        mesh.on('serving', function onServing(worker: string) {
          if (worker !== 'processor') return
          mesh.off('serving', onServing)
          resolve()
        })
      })
      process.kill(processIdOf('processor.js', directory), 'SIGKILL')
      await serving
    },
    async close() {
      await resources.close()
      await rm(directory, { recursive: true })
    },
  }
}

function processIdOf(entry: string, home: string): number {
  const line = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
    .split('\n')
    .find((candidate) => candidate.includes(entry) && candidate.includes(home))
  if (line === undefined) throw new Error(`No ${entry} runs in ${home}`)
  return Number.parseInt(line, 10)
}
