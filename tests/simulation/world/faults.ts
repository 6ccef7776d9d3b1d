import type { Timer } from '../../../facilities/clock/clock.js'
import type { SeededRandom } from '../../helpers/seeded-random.js'
import type { Observation } from '../invariants/observation.js'
import type { Machine } from '../processes/machine.js'
import type { SimulatedDisk } from '../processes/simulated-disk.js'
import type { Fault, Plan } from './plan.js'
import type { World } from './world.js'

/** Makes the faults of a plan happen, and ends them. */
export class Faults {
  readonly #world: World
  readonly #plan: Plan
  readonly #machines: readonly Machine<unknown>[]
  readonly #disk: SimulatedDisk
  readonly #random: SeededRandom
  readonly #timers: Timer[] = []
  readonly #mends = new Set<() => Promise<void>>()
  #isCalm = false

  /** @param parts.disk of auth, which is the first machine */
  constructor(parts: {
    world: World
    plan: Plan
    machines: readonly Machine<unknown>[]
    disk: SimulatedDisk
  }) {
    this.#world = parts.world
    this.#plan = parts.plan
    this.#machines = parts.machines
    this.#disk = parts.disk
    this.#random = parts.world.random('faults')
  }

  schedule(): void {
    for (const fault of this.#plan.faults) {
      if ('atMs' in fault.when) this.#in(fault.when.atMs, () => this.#begin(fault))
      else this.#follow(fault, fault.when)
    }
  }

  /** Ends all faults. None happens from now on. @returns resolves when all are over */
  async calm(): Promise<void> {
    this.#isCalm = true
    for (const timer of this.#timers) timer.cancel()
    await Promise.all([...this.#mends].map((mend) => mend()))
  }

  #follow(
    fault: Fault,
    { after, times, delayMs }: { after: Observation['kind']; times: number; delayMs: number },
  ): void {
    let seen = 0
    this.#world.listen(({ kind }) => {
      if (kind !== after || this.#isCalm) return
      seen += 1
      if (seen === times) this.#in(delayMs, () => this.#begin(fault))
    })
  }

  #in(delayMs: number, action: () => void): void {
    this.#timers.push(this.#world.clock.schedule(delayMs, action))
  }

  #begin(fault: Fault): void {
    const names = this.#namesOf(fault)
    if (names.length === 0) return
    const { what } = fault
    this.#world.observe({ kind: 'fault', what, names })
    const undo = this.#happen(fault)
    const mend = async () => {
      if (!this.#mends.delete(mend)) return
      await undo()
      this.#world.observe({ kind: 'mended', what, names })
    }
    this.#mends.add(mend)
    this.#in(fault.forMs, () => void mend())
  }

  /** The machines that a fault concerns. */
  #namesOf(fault: Fault): string[] {
    switch (fault.what) {
      case 'crash':
      case 'leave':
        // The users are the witnesses of a run: their clients stay.
        return this.#names([fault.machine]).filter((name) => !name.startsWith('client'))
      case 'stall':
        return this.#names([fault.machine])
      case 'partition':
        return this.#names(fault.machines)
      default:
        return this.#machines.map(({ name }) => name)
    }
  }

  #names(machines: readonly number[]): string[] {
    return machines.flatMap((machine) => this.#machines[machine]?.name ?? [])
  }

  /** @returns ends the fault */
  #happen(fault: Fault): () => void | Promise<void> {
    const { network } = this.#world
    switch (fault.what) {
      case 'crash': {
        const machine = this.#machines[fault.machine]
        machine?.crash()
        if (fault.machine === 0) this.#disk.crash(fault.isPowerCut, this.#random)
        return () => machine?.start()
      }
      case 'leave': {
        const machine = this.#machines[fault.machine]
        const left = machine?.leave()
        return async () => {
          await left
          machine?.start()
        }
      }
      case 'stall': {
        const untilMs = this.#world.time.nowMs + fault.forMs
        this.#machines[fault.machine]?.stall(fault.forMs)
        return () => this.#world.clock.sleep(Math.max(0, untilMs - this.#world.time.nowMs))
      }
      case 'partition':
        network.partition(this.#names(fault.machines))
        return () => network.heal()
      case 'cut': {
        const links = [...network.links]
        links[fault.link % Math.max(1, links.length)]?.cut()
        return () => undefined
      }
      case 'weather':
        network.weather = fault.weather
        return () => {
          network.weather = this.#plan.weather
        }
      case 'dht':
        network.isDhtUp = false
        return () => {
          network.records.clear()
          network.isDhtUp = true
        }
      case 'disk':
        this.#disk.condition = fault.condition
        return () => {
          this.#disk.condition = this.#plan.disk
        }
    }
  }
}
