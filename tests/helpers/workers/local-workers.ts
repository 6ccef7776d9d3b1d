import type { Test } from 'brittle'
import { configSchema } from '../../../config/schema.js'
import type { Clock } from '../../../facilities/clock/clock.js'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import type { Engine } from '../../../facilities/engine/engine.js'
import { ClientFolder } from '../../../facilities/home/client-folder.js'
import { Home } from '../../../facilities/home/home.js'
import { createLog, type Log } from '../../../facilities/log/log.js'
import type { OutgoingConnection } from '../../../facilities/network/connection/outgoing-connection.js'
import { MeshNetwork, type NetworkSettings } from '../../../facilities/network/mesh-network.js'
import type { NetworkMode } from '../../../facilities/network/modes/network-mode.js'
import type { WatchedWorker } from '../../../facilities/worker/worker-health.js'
import { WorkerWatch } from '../../../facilities/worker/worker-watch.js'
import type { Role } from '../../../helpers/identity/roles.js'
import { Accounts } from '../../../workers/auth/accounts.js'
import { AuthWorker } from '../../../workers/auth/auth-worker.js'
import { PasswordHasher } from '../../../workers/auth/passwords.js'
import { createPrivateKeyPem, SessionKeys } from '../../../workers/auth/session-keys.js'
import { ClientWorker } from '../../../workers/client/client-worker.js'
import { GatewayWorker } from '../../../workers/gateway/gateway-worker.js'
import { ProcessorWorker } from '../../../workers/processor/processor-worker.js'
import { Cleanup } from '../cleanup.js'
import { localMode } from '../network/local-mesh.js'
import { MeshAuthority, newKeyPair, rosterSettings } from '../network/mesh-authority.js'
import { firstConnection } from '../network/mesh-fixture.js'
import { freeUdpPort } from '../network/udp-port.js'
import { durableMemoryStore } from '../storage/durable-memory.js'
import { createRecords } from '../storage/local-records.js'
import { ADMIT_FREELY, type GatewayLimits } from './admission-settings.js'
import { poolOf } from './offered-models.js'

/** A clock that is set wrongly. */
class OffsetClock extends SystemClock {
  readonly #aheadMs: number

  /** @param aheadMs how far it is ahead; negative when it is behind */
  constructor(aheadMs: number) {
    super()
    this.#aheadMs = aheadMs
  }

  override now(): number {
    return super.now() + this.#aheadMs
  }
}

/** The credit window between any two workers of the test, in chunks. */
export const STREAM_WINDOW_CHUNKS = 8

const MONTH_MS = 30 * 24 * 60 * 60 * 1000

/** Options of {@link LocalWorkers.create}. */
export interface LocalWorkersOptions {
  /** Receives everything that the workers log, as JSON. */
  readonly onLogLine?: (line: string) => void
  /** How far the clocks of some roles are ahead of the others', in milliseconds. */
  readonly aheadMs?: Readonly<Partial<Record<Role, number>>>
}

/** A worker that can be closed before the test ends. */
export interface LocalWorker {
  close(): Promise<void>
}

/**
 * The workers of a mesh in this process, as their entries wire them, over real DHT nodes on 127.0.0.1
 * with their own bootstrap port. Passwords are hashed cheaply and accounts kept in memory. All
 * are closed when the test ends.
 */
export class LocalWorkers {
  readonly #t: Test
  readonly #cleanup: Cleanup
  readonly #mode: NetworkMode
  readonly #settings: NetworkSettings
  readonly #random = new SystemRandom()
  readonly #authority = new MeshAuthority(new OffsetClock(0))
  readonly #options: LocalWorkersOptions

  private constructor(t: Test, bootstrapPort: number, options: LocalWorkersOptions) {
    this.#t = t
    this.#options = options
    this.#cleanup = new Cleanup(t)
    this.#mode = localMode(bootstrapPort)
    this.#settings = {
      ...configSchema.parse({}).network,
      announceIntervalMs: 200,
      lookupIntervalMs: 100,
      // A worker that is closed during an answer breaks it off.
      drainTimeoutMs: 0,
      streamWindowChunks: STREAM_WINDOW_CHUNKS,
    }
  }

  static async create(t: Test, options: LocalWorkersOptions = {}): Promise<LocalWorkers> {
    return new LocalWorkers(t, await freeUdpPort(), options)
  }

  async auth(): Promise<LocalWorker> {
    const network = this.#network('auth')
    const clock = this.#clock('auth')
    const store = durableMemoryStore()
    const records = createRecords(store)
    this.#cleanup.add(() => store.close())
    this.#cleanup.add(() => records.close())
    const passwords = new PasswordHasher({ passes: 1, memoryBytes: 8192 })
    const worker = new AuthWorker({
      accounts: new Accounts({ records, passwords, clock, random: this.#random }),
      sessionKeys: new SessionKeys(createPrivateKeyPem(this.#random)),
      clock,
      mesh: this.#authority.mesh,
    })
    worker.service(network.service)
    await this.#watch('auth', network, worker)
    await network.ready()
    return network
  }

  /** A gateway; by default it admits every request. `metricsPort` 0 opens none. */
  async gateway({
    metricsPort = 0,
    ...admission
  }: Partial<GatewayLimits> & { metricsPort?: number } = {}): Promise<LocalWorker> {
    const network = this.#network('gateway')
    const worker = new GatewayWorker({
      ...ADMIT_FREELY,
      ...admission,
      service: network.service,
      mesh: this.#authority.mesh,
      auth: network.peers('auth'),
      processors: network.peers('processor'),
      clock: this.#clock('gateway'),
      random: this.#random,
      loadIntervalMs: 100,
    })
    this.#cleanup.add(() => worker.close())
    await this.#watch('gateway', network, worker, metricsPort)
    await worker.ready()
    await network.ready()
    return network
  }

  /** A processor. Closing it closes its network before its engine, as a process does. */
  async processor(
    engine: Engine,
    { slots, queueLength, model }: { slots?: number; queueLength?: number; model?: string } = {},
  ): Promise<LocalWorker & { readonly worker: ProcessorWorker }> {
    const network = this.#network('processor')
    const worker = new ProcessorWorker({
      service: network.service,
      pool: poolOf(engine, { slots, queueLength, model }),
    })
    this.#cleanup.add(() => worker.close())
    await this.#watch('processor', network, worker)
    await worker.serving()
    await network.ready()
    return {
      worker,
      async close() {
        await network.close()
        await worker.close()
      },
    }
  }

  /**
   * A client with its own folder.
   *
   * @param options.waitMs how long it waits for workers; 0 fails at once, and waits here for a gateway
   */
  async client({ waitMs = 10_000 }: { waitMs?: number } = {}): Promise<ClientWorker> {
    const network = this.#network('client')
    const home = await Home.open(await this.#t.tmp())
    const client = new ClientWorker({
      gateways: network.peers('gateway'),
      folder: await ClientFolder.open(home, this.#random),
      lookedFor: 'gateways of this test',
      waitMs,
      onWaiting: () => undefined,
      clock: this.#clock('client'),
      random: this.#random,
    })
    await network.ready()
    if (waitMs === 0) await firstConnection(network.peers('gateway'))
    return client
  }

  /** A connection of a new client to a worker of that role. */
  async connectionTo(role: Role): Promise<OutgoingConnection> {
    const network = this.#network('client')
    const peers = network.peers(role)
    await network.ready()
    return await firstConnection(peers)
  }

  async #watch(
    role: Role,
    network: MeshNetwork,
    worker: WatchedWorker,
    metricsPort = 0,
  ): Promise<void> {
    const watch = new WorkerWatch({
      role,
      identity: { name: `${role}@test` },
      clock: this.#clock(role),
      log: this.#log(role),
      network,
      worker,
      version: '0.0.0',
      metrics: { port: metricsPort, host: '127.0.0.1' },
    })
    this.#cleanup.add(() => watch.close())
    await watch.ready()
  }

  #log(role: Role): Log {
    return createLog({
      name: role,
      level: this.#options.onLogLine === undefined ? 'silent' : 'trace',
      json: true,
      output: { write: (line) => this.#options.onLogLine?.(line) },
    })
  }

  #network(role: Role): MeshNetwork {
    const log = this.#log(role)
    const clock = this.#clock(role)
    const keyPair = newKeyPair()
    // A worker issues it to itself, by its own clock.
    const certificate = this.#authority.certify(keyPair, [role], {
      expiresAt: clock.now() + MONTH_MS,
    })
    const network = new MeshNetwork({
      role,
      mode: this.#mode,
      secret: this.#authority.secret,
      identity: this.#authority.identity(role, { keyPair, certificate: () => certificate }),
      clock,
      random: this.#random,
      log,
      settings: this.#settings,
      roster: rosterSettings(this.#authority.root),
    })
    this.#cleanup.add(() => network.close())
    return network
  }

  #clock(role: Role): Clock {
    return new OffsetClock(this.#options.aheadMs?.[role] ?? 0)
  }
}
