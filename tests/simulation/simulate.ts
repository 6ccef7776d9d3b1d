import type { MeshAtRest } from './invariants/invariant.js'
import { startAuth } from './processes/auth-program.js'
import { startClient } from './processes/client-program.js'
import { startGateway } from './processes/gateway-program.js'
import { Machine } from './processes/machine.js'
import { type StartedProcessor, startProcessor } from './processes/processor-program.js'
import { SimulatedDisk } from './processes/simulated-disk.js'
import type { SimulatedProcess } from './processes/simulated-process.js'
import { Faults } from './world/faults.js'
import { drawPlan, type Plan } from './world/plan.js'
import { User } from './world/user.js'
import { Violation, World } from './world/world.js'

/** Machines start within this time, in any order. */
const START_MS = 300
/** How long the faults may take to end: a worker that leaves, or is stalled, needs seconds. */
const CALMING_MS = 15_000
/** How long requests may take to end once all faults are over. */
const ENDING_MS = 40_000
/** How long the mesh may take until it answers everybody again. */
const RECOVERY_MS = 30_000
/** After the last request: connections that are closing have closed, and what was lost was noticed. */
const SETTLING_MS = 4_000

/** A run of one seed. */
export interface Outcome {
  readonly seed: number
  /** The hash of its trace. */
  readonly hash: string
  /** The virtual time that it took, in milliseconds. */
  readonly virtualMs: number
  /** Null if everything held. */
  readonly failure: { readonly invariant: string; readonly message: string } | null
  /** The last events. */
  readonly tail: readonly string[]
}

/**
 * Runs a mesh in virtual time: the real workers, connections, streams and stores, with everything that happens to them
 * decided by the seed.
 *
 * @param print gets each line of the trace
 */
export async function simulate(seed: number, print?: (line: string) => void): Promise<Outcome> {
  const world = new World(seed, print)
  let failure: Outcome['failure'] = null
  try {
    const scenario = new Scenario(world, drawPlan(world.random('plan')))
    await world.run(() => scenario.run())
  } catch (error) {
    failure = failureOf(error)
    world.trace.record(`violated: ${failure.invariant}: ${failure.message}`)
  }
  const { tail } = world.trace
  return { seed, hash: world.trace.digest(), virtualMs: world.time.nowMs, failure, tail }
}

function failureOf(error: unknown): NonNullable<Outcome['failure']> {
  if (error instanceof Violation) return { invariant: error.invariant, message: error.message }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { invariant: 'nothing-unexpected', message }
}

class Scenario {
  readonly #world: World
  readonly #plan: Plan
  readonly #disk: SimulatedDisk
  readonly #processors: Machine<StartedProcessor>[]
  readonly #machines: Machine<unknown>[]
  readonly #users: User[]
  readonly #faults: Faults

  constructor(world: World, plan: Plan) {
    this.#world = world
    this.#plan = plan
    this.#disk = new SimulatedDisk(plan.disk)
    world.network.weather = plan.weather
    const { streamWindowChunks } = plan
    world.settings = { ...world.settings, streamWindowChunks }
    const { minHistoryBlocks } = plan
    let number = 0
    const machine = <W>(
      role: Machine<W>['role'],
      start: (process: SimulatedProcess) => Promise<W>,
    ) => new Machine<W>(world, role, number++, start)
    const auth = machine('auth', (process) =>
      startAuth(process, { disk: this.#disk, minHistoryBlocks }),
    )
    const gateways = Array.from({ length: plan.gateways }, () =>
      machine('gateway', (process) => startGateway(process, plan.lanes)),
    )
    this.#processors = plan.processors.map((traits) =>
      machine('processor', (process) => startProcessor(process, traits)),
    )
    const clients = Array.from({ length: plan.clients }, () => machine('client', startClient))
    this.#machines = [auth, ...gateways, ...this.#processors, ...clients]
    this.#users = clients.map(
      (client, index) =>
        new User(world, client, { lanes: plan.lanes, random: world.random('user', index) }),
    )
    this.#faults = new Faults({ world, plan, machines: this.#machines, disk: this.#disk })
  }

  async run(): Promise<void> {
    const { clock } = this.#world
    const starting = this.#world.random('start')
    for (const machine of this.#machines) {
      clock.schedule(starting.below(START_MS), () => machine.start())
    }
    this.#faults.schedule()
    const using = Promise.all(this.#users.map((user) => user.use(this.#plan.calmAtMs)))
    await clock.sleep(this.#plan.calmAtMs)
    await this.#within(CALMING_MS, this.#faults.calm())
    await this.#within(ENDING_MS, using)
    const untilMs = this.#world.time.nowMs + RECOVERY_MS
    const served = await Promise.all(this.#users.map((user) => user.isServed(untilMs)))
    await clock.sleep(SETTLING_MS)
    this.#judgeRest(served)
    await this.#end()
  }

  #judgeRest(served: readonly (string | null)[]): void {
    const unanswered = this.#users.flatMap(({ name: client }, index) => {
      const code = served[index]
      return code == null ? [] : [{ client, code }]
    })
    const mesh: MeshAtRest = {
      processors: this.#processors.map(({ name, worker }) => ({
        name,
        busy: worker === null ? 0 : busyOf(worker),
        generations: worker?.engine.activeGenerations ?? 0,
      })),
      streams: this.#machines.map(({ name, process }) => ({
        name,
        count: process?.requests.streams.underWay ?? 0,
      })),
      links: [...this.#world.network.links],
      unanswered,
    }
    for (const invariant of this.#world.invariants) invariant.atRest(mesh, this.#world.time.nowMs)
    this.#world.assertHolds()
  }

  /** All workers leave, the clients first. */
  async #end(): Promise<void> {
    const processes = this.#machines.flatMap(({ process }) => process ?? [])
    const names = this.#machines.map(({ name }) => name)
    this.#world.observe({ kind: 'fault', what: 'end', names })
    for (const machine of [...this.#machines].reverse()) await machine.leave()
    await this.#world.clock.sleep(SETTLING_MS)
    const timers = processes.map(({ name, clock }) => ({ name, count: clock.pending }))
    const links = [...this.#world.network.links]
    for (const invariant of this.#world.invariants) invariant.atEnd({ timers, links })
  }

  /** Waits for work, but no longer than that. */
  async #within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
    const waited = new AbortController()
    const timeout = this.#world.clock.sleep(timeoutMs, waited.signal).catch(() => undefined)
    await Promise.race([work, timeout])
    waited.abort()
  }
}

function busyOf({ worker }: StartedProcessor): number {
  return worker.load().models.reduce((sum, { running, queued }) => sum + running + queued, 0)
}
