import ReadyResource from 'ready-resource'
import type { Clock } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import type { Fork } from '../../facilities/process/child-process.js'
import { WorkerSupervisor } from './worker-supervisor.js'

/** A worker of a mesh. */
export interface WorkerPlan {
  /** `processor-2`. */
  readonly name: string
  /** Absolute path of its entry. */
  readonly script: string
  /** Its command line flags. */
  readonly flags: readonly string[]
  /** Its whole environment. */
  readonly environment: Readonly<Record<string, string>>
}

/**
 * The workers of one machine, each a process of its own, kept running. They are started at the same time,
 * because they find each other in any order. Ready as soon as they run; see {@link serving}.
 *
 * Emits `progress` (worker, activity, fraction), `notice` (worker, text), `serving` (worker) whenever one
 * serves, and `exit` (worker, how, restartInMs) when one ended unexpectedly.
 */
export class MeshWorker extends ReadyResource {
  readonly #workers: readonly WorkerSupervisor[]

  constructor(options: {
    plan: readonly WorkerPlan[]
    /** The absolute path of the log of a worker. */
    logFileOf: (name: string) => string
    /** How long workers may drain when they are stopped, in milliseconds. */
    drainTimeoutMs: number
    clock: Clock
    random: Random
    /** Starts the processes. Default: `fork` of node:child_process. */
    fork?: Fork
  }) {
    super()
    const { plan, logFileOf, ...shared } = options
    this.#workers = plan.map((planned) => {
      const { name } = planned
      const worker = new WorkerSupervisor({ ...shared, ...planned, logFile: logFileOf(name) })
      worker.on('progress', (activity: string, fraction: number) =>
        this.emit('progress', name, activity, fraction),
      )
      worker.on('notice', (text: string) => this.emit('notice', name, text))
      worker.on('serving', () => this.emit('serving', name))
      worker.on('exit', (how: string, restartInMs: number) =>
        this.emit('exit', name, how, restartInMs),
      )
      return worker
    })
  }

  /** Resolves when all workers serve. @throws StarlingError of the first one that cannot start */
  async serving(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.serving()))
  }

  protected override async _open(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.ready()))
  }

  protected override async _close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()))
  }
}
