import type { Random } from '../../../facilities/clock/random.js'
import { createLog, type Log } from '../../../facilities/log/log.js'
import { MeshNetwork } from '../../../facilities/network/mesh-network.js'
import { RequestCounts } from '../../../facilities/network/watch/request-counts.js'
import { ResourceStack } from '../../../facilities/worker/resource-stack.js'
import type { Identity } from '../../../helpers/identity/identity.js'
import type { KeyPair } from '../../../helpers/identity/key-pair.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { ProcessClock } from '../../helpers/clock/virtual-time.js'
import { MemoryMode } from '../../helpers/network/memory/memory-mode.js'
import type { MemoryHost } from '../../helpers/network/memory/memory-network.js'
import { rosterSettings } from '../../helpers/network/mesh-authority.js'
import type { World } from '../world/world.js'

/** What a process takes from the machine that it runs on. */
export interface ProcessPlace {
  readonly name: string
  readonly role: Role
  readonly keyPair: KeyPair
  readonly aheadMs: number
}

/** One process, with what a worker gets from it in place of the real clock, network and random numbers. */
export class SimulatedProcess {
  readonly world: World
  readonly name: string
  readonly host: MemoryHost
  readonly clock: ProcessClock
  readonly random: Random
  readonly log: Log
  readonly identity: Identity
  readonly resources = new ResourceStack()
  /** What its worker answers. */
  readonly requests = new RequestCounts()
  readonly #place: ProcessPlace
  #isLeaving = false

  constructor(world: World, place: ProcessPlace, random: Random) {
    this.world = world
    this.name = place.name
    this.#place = place
    this.host = world.createHost(place.name)
    this.clock = new ProcessClock(world.time, this.host.lane, place.aheadMs)
    this.random = random
    const { role, keyPair, name } = place
    const certificate = world.authority.certify(keyPair, [role], { name })
    this.identity = world.authority.identity(role, { keyPair, certificate: () => certificate })
    this.log = createLog({
      name: place.name,
      level: 'warn',
      json: true,
      output: { write: (line) => this.#record(line) },
    })
  }

  get isLeaving(): boolean {
    return this.#isLeaving
  }

  /** The network of its worker, which opens it as a resource. */
  createNetwork(): MeshNetwork {
    const { world, clock, random, log, identity } = this
    const { role, name } = this.#place
    const { authority } = world
    const network = new MeshNetwork({
      role,
      mode: new MemoryMode(world.network, this.host),
      secret: authority.secret,
      identity,
      clock,
      random,
      log,
      settings: world.settings,
      roster: rosterSettings(authority.root),
    })
    network.observe(this.requests)
    network.observe({
      onInternalError: (error) => {
        world.observe({ kind: 'failed', what: `a handler of ${name}`, error })
      },
    })
    return network
  }

  /** Ends it without a word to anybody. */
  kill(): void {
    this.world.network.kill(this.host)
    this.clock.stop()
  }

  /** Closes what it has opened, and ends. */
  async close(): Promise<void> {
    this.#isLeaving = true
    try {
      await this.resources.close()
    } catch (error) {
      this.world.observe({ kind: 'failed', what: `${this.name} could not close`, error })
    }
    this.host.isDead = true
  }

  #record(line: string): void {
    if (this.host.isDead) return
    const { level, msg, err } = JSON.parse(line)
    this.world.trace.record(`${this.name} logs ${level} ${msg} ${err?.code ?? ''}`)
  }
}
