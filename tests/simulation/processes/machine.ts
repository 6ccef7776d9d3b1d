import { isDiskFull } from '../../../facilities/files/disk-failure.js'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import type { KeyPair } from '../../../helpers/identity/key-pair.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { newKeyPair } from '../../helpers/network/mesh-authority.js'
import type { SeededRandom } from '../../helpers/seeded-random.js'
import type { World } from '../world/world.js'
import { SimulatedProcess } from './simulated-process.js'

/** How long a supervisor waits before it starts a worker again that could not start. */
const RESTART_MS = 500

/** The most by which the clock of a machine is wrong: signed documents allow 60 s. */
const MAX_AHEAD_MS = 20_000

/** Starts the worker of one process. What it opens, it opens as a resource of the process. */
export type Program<Worker> = (process: SimulatedProcess) => Promise<Worker>

/** A machine that runs one worker at a time. What is on its disk, and its key, outlive the process. */
export class Machine<Worker> {
  readonly name: string
  readonly role: Role
  readonly keyPair: KeyPair
  /** How far its wall-clock time is ahead. */
  readonly aheadMs: number
  readonly #world: World
  readonly #number: number
  readonly #random: SeededRandom
  readonly #program: Program<Worker>
  #process: SimulatedProcess | null = null
  #worker: Worker | null = null
  #starts = 0

  /** @param number tells the machines of a world apart */
  constructor(world: World, role: Role, number: number, program: Program<Worker>) {
    this.#world = world
    this.#number = number
    this.#random = world.random('machine', number)
    this.#program = program
    this.name = `${role}-${number}`
    this.role = role
    this.keyPair = newKeyPair(this.#random)
    this.aheadMs = (2 * this.#random.fraction() - 1) * MAX_AHEAD_MS
  }

  /** Null while it is off, or still starting. */
  get worker(): Worker | null {
    return this.#worker
  }

  /** Null while it is off. */
  get process(): SimulatedProcess | null {
    return this.#process
  }

  start(): void {
    if (this.#process !== null) return
    this.#starts += 1
    const random = this.#world.random('machine', this.#number, this.#starts)
    const process = new SimulatedProcess(this.#world, this, random)
    this.#process = process
    void this.#run(process)
  }

  /** Ends the process without a word to anybody. */
  crash(): void {
    this.#process?.kill()
    this.#process = null
    this.#worker = null
  }

  /** Ends the process as SIGTERM does. */
  async leave(): Promise<void> {
    const process = this.#process
    if (process === null) return
    this.#worker = null
    await process.close()
    if (this.#process === process) this.#process = null
  }

  /** Nothing happens in its process for a while, as when it computes or is suspended. */
  stall(forMs: number): void {
    if (this.#process !== null) {
      this.#process.host.lane.pausedUntilMs = this.#world.time.nowMs + forMs
    }
  }

  async #run(process: SimulatedProcess): Promise<void> {
    try {
      const worker = await this.#program(process)
      if (this.#process !== process || process.isLeaving) return
      this.#worker = worker
      this.#world.trace.record(`${this.name} is ready`)
    } catch (error) {
      if (this.#process !== process || process.isLeaving) return
      if (!isDiskFull(error) && !isStarlingError(error, 'DISK_FULL', 'DISK_FAILED')) {
        this.#world.observe({ kind: 'failed', what: `the start of ${this.name}`, error })
      }
      await this.leave()
      this.#world.clock.schedule(RESTART_MS, () => this.start())
    }
  }
}
