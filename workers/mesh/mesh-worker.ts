import ReadyResource from 'ready-resource'
import type { Clock } from '../../facilities/clock/clock.js'
import { WorkerChild } from './worker-child.js'

/** One worker that a mesh consists of. */
export interface WorkerPlan {
  /** `processor-2`. */
  readonly name: string
  /** Absolute path of its entry. */
  readonly script: string
  /** What it is started with. */
  readonly flags: readonly string[]
}

/**
 * The workers of one machine, each a process of its own. They are started together: each finds the
 * others whenever it is up. Ready as soon as they run; see {@link serving}.
 *
 * Emits `progress` (worker, activity, fraction), `serving` (worker), and `exit` (worker, how) when
 * one ends without having been asked to.
 */
export class MeshWorker extends ReadyResource {
  readonly #children: readonly WorkerChild[]

  constructor(options: {
    plan: readonly WorkerPlan[]
    /** The absolute path of the log of a worker. */
    logFileOf: (name: string) => string
    clock: Clock
  }) {
    super()
    const { clock } = options
    this.#children = options.plan.map(({ name, script, flags }) => {
      const logFile = options.logFileOf(name)
      const child = new WorkerChild({ name, script, flags, clock, logFile })
      child.on('progress', (activity: string, fraction: number) =>
        this.emit('progress', name, activity, fraction),
      )
      child.on('exit', (how: string) => this.emit('exit', name, how))
      return child
    })
  }

  /** Resolves when all workers serve. @throws StarlingError of the first that cannot */
  async serving(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        await child.serving()
        this.emit('serving', child.name)
      }),
    )
  }

  protected override async _open(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.ready()))
  }

  protected override async _close(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.close()))
  }
}
