import { freeTcpPort } from '../network/tcp-port.js'
import type { Scope } from '../scope.js'
import { untilItWorks } from '../until.js'
import { scrape } from '../upstream/http-probe.js'
import { type Running, WorkerProcesses } from './worker-processes.js'

const ACCOUNT = ['--email', 'ada@example.com', '--password-stdin']
const PASSWORD = 'correct horse battery\n'

/** The first worker holds the bootstrap port. */
const ROLES = ['gateway', 'auth', 'processor'] as const

/** A worker that can be started by hand. */
export type WorkerRole = (typeof ROLES)[number]

/** A mesh of three workers that were started by hand, and a user who has logged in. */
export class MeshByHand {
  readonly processes: WorkerProcesses
  readonly #metricsPort: number
  readonly #workers = new Map<WorkerRole, Running>()

  private constructor(processes: WorkerProcesses, metricsPort: number) {
    this.processes = processes
    this.#metricsPort = metricsPort
  }

  /** @param settings environment variables of all processes */
  static async start(scope: Scope, settings: NodeJS.ProcessEnv = {}): Promise<MeshByHand> {
    const processes = await WorkerProcesses.create(scope, settings)
    await processes.provideModel()
    const mesh = new MeshByHand(processes, await freeTcpPort())
    await mesh.start('gateway')
    await mesh.whole()
    const registration = mesh.run(['register', ...ACCOUNT], PASSWORD)
    if ((await registration.exit) !== 0) throw new Error(registration.stderr)
    return mesh
  }

  /** Starts the workers that have ended, so that the next test finds all three. */
  async whole(): Promise<void> {
    await Promise.all(ROLES.filter((role) => !this.#runs(role)).map((role) => this.start(role)))
  }

  /** Starts a worker, and waits until it serves. */
  async start(role: WorkerRole): Promise<Running> {
    const flags = role === 'processor' ? ['--metrics-port', String(this.#metricsPort)] : []
    const worker = await this.processes.start(role, flags)
    this.#workers.set(role, worker)
    return worker
  }

  /** The process of a worker. */
  worker(role: WorkerRole): Running {
    const worker = this.#workers.get(role)
    if (worker === undefined) throw new Error(`${role} was never started`)
    return worker
  }

  /** Tells all workers to shut down. @returns their exit codes */
  async leave(): Promise<readonly (number | string)[]> {
    const workers = ROLES.map((role) => this.worker(role))
    for (const { process } of workers) process.kill('SIGTERM')
    return await Promise.all(workers.map(({ exit }) => exit))
  }

  /** A command of the client. */
  run(
    parameters: readonly string[],
    input: string | Uint8Array = '',
    stdout: 'pipe' | number = 'pipe',
  ): Running {
    return this.processes.run('client', parameters, input, stdout)
  }

  /** Logs the user in again, like a user who returns to an existing mesh. */
  login(): Running {
    return this.run(['login', ...ACCOUNT], PASSWORD)
  }

  /** Waits until so many answers are being generated. */
  async untilBusy(answers: number): Promise<void> {
    const isSo = async () => {
      const busy = (await scrape(this.#metricsPort)).get('starling_processor_slots_busy')
      if (busy !== answers) throw new Error(`${busy} answers are in progress`)
    }
    await untilItWorks(`${answers} answers in progress`, isSo, 60_000)
  }

  #runs(role: WorkerRole): boolean {
    return this.#workers.get(role)?.hasEnded === false
  }
}
