import { configSchema } from '../../../config/schema.js'
import type { NetworkSettings } from '../../../facilities/network/mesh-network.js'
import { LibraryStandIns } from '../../helpers/clock/library-stand-ins.js'
import { mix, ProcessClock, VirtualTime } from '../../helpers/clock/virtual-time.js'
import { type MemoryHost, MemoryNetwork } from '../../helpers/network/memory/memory-network.js'
import { MeshAuthority } from '../../helpers/network/mesh-authority.js'
import { SeededRandom } from '../../helpers/seeded-random.js'
import { createInvariants } from '../invariants/all-invariants.js'
import type { Invariant } from '../invariants/invariant.js'
import { describeObservation, nameOf, type Observation } from '../invariants/observation.js'
import { Trace } from './trace.js'

/** More than any run has. A run with more never comes to rest. */
const MOST_EVENTS = 2_000_000

/** The purposes of random numbers. Each has its own, so that more draws for one change nothing for the others. */
const PURPOSES = {
  plan: 1,
  network: 2,
  libraries: 3,
  authority: 4,
  machine: 5,
  faults: 6,
  user: 7,
  start: 8,
} as const

/** An invariant does not hold. */
export class Violation extends Error {
  readonly invariant: string

  constructor(invariant: string, message: string) {
    super(message)
    this.invariant = invariant
  }
}

/** Everything that a run of one seed consists of, apart from its machines. */
export class World {
  readonly seed: number
  readonly time: VirtualTime
  readonly trace: Trace
  readonly network: MemoryNetwork
  readonly authority: MeshAuthority
  settings: NetworkSettings
  readonly invariants: readonly Invariant[] = createInvariants()
  /** The clock of those who only watch. */
  readonly clock: ProcessClock
  readonly #libraries: LibraryStandIns
  #ports = 10_000
  #events = 0
  #listeners: ((observation: Observation) => void)[] = []

  constructor(seed: number, print?: (line: string) => void) {
    this.seed = seed
    this.time = new VirtualTime(mix(seed))
    this.trace = new Trace(this.time, print)
    this.clock = new ProcessClock(this.time, this.time.createLane())
    this.#libraries = new LibraryStandIns(this.time, this.random('libraries'))
    this.network = new MemoryNetwork(this.time, this.random('network'), {
      onOpened: (link) => this.observe({ kind: 'connected', link }),
      onArrived: (link, from, what) =>
        this.trace.recordDetail(`${nameOf(link)} ${from.name}: ${what}`),
      onClosed: (link, by) => this.observe({ kind: 'closed', link, by }),
    })
    this.authority = new MeshAuthority(this.clock, this.random('authority'))
    this.settings = {
      ...configSchema.parse({}).network,
      drainTimeoutMs: 2_000,
      stalledReaderTimeoutMs: 5_000,
      streamWindowChunks: 8,
    }
  }

  /** Random numbers for one purpose. */
  random(purpose: keyof typeof PURPOSES, ...of: readonly number[]): SeededRandom {
    return new SeededRandom(mix(this.seed, PURPOSES[purpose], ...of))
  }

  createHost(name: string): MemoryHost {
    this.#ports += 1
    return {
      name,
      address: { host: '127.0.0.1', port: this.#ports },
      lane: this.time.createLane(),
      isDead: false,
    }
  }

  /** Calls `listener` for each further observation. */
  listen(listener: (observation: Observation) => void): void {
    this.#listeners.push(listener)
  }

  observe(observation: Observation): void {
    const line = describeObservation(observation)
    if (line !== null) this.trace.record(line)
    for (const invariant of this.invariants) invariant.observe(observation, this.time.nowMs)
    for (const listener of this.#listeners) listener(observation)
  }

  /**
   * Runs until `work` has ended. Everything that needs no time is done before time goes on.
   *
   * @throws Violation as soon as an invariant does not hold
   */
  async run(work: () => Promise<void>): Promise<void> {
    const fail = (error: unknown) => this.observe({ kind: 'failed', what: 'uncaught', error })
    process.on('uncaughtException', fail)
    process.on('unhandledRejection', fail)
    this.#libraries.install()
    try {
      await this.#drive(work())
    } finally {
      this.#libraries.restore()
      process.off('uncaughtException', fail)
      process.off('unhandledRejection', fail)
    }
  }

  async #drive(work: Promise<void>): Promise<void> {
    let isOver = false
    const end = () => {
      isOver = true
    }
    work.then(end, end)
    for (;;) {
      await this.#libraries.settle()
      this.assertHolds()
      if (isOver) return await work
      if (!this.time.runNext()) throw new Error('Nothing is left that could happen')
      this.#events += 1
      if (this.#events > MOST_EVENTS) throw new Violation('nothing-grows', 'It never comes to rest')
    }
  }

  /** @throws Violation */
  assertHolds(): void {
    for (const { name, violation } of this.invariants) {
      if (violation !== null) throw new Violation(name, violation)
    }
  }
}
