import type { Test } from 'brittle'
import { SystemRandom } from '../../facilities/clock/random.js'
import { SystemClock } from '../../facilities/clock/system-clock.js'
import type { Engine } from '../../facilities/engine/engine.js'
import { ClientFolder } from '../../facilities/home/client-folder.js'
import { Home } from '../../facilities/home/home.js'
import { createLog } from '../../facilities/log/log.js'
import { MeshNetwork, type NetworkSettings } from '../../facilities/network/mesh-network.js'
import { DurableRecords } from '../../facilities/store/durable-records.js'
import type { Role } from '../../helpers/identity/roles.js'
import { Accounts, accountRecordSchema } from '../../workers/auth/accounts.js'
import { AuthWorker } from '../../workers/auth/auth-worker.js'
import { PasswordHasher } from '../../workers/auth/passwords.js'
import { createPrivateKeyPem, SessionKeys } from '../../workers/auth/session-keys.js'
import { ClientWorker } from '../../workers/client/client-worker.js'
import { GatewayWorker } from '../../workers/gateway/gateway-worker.js'
import { ProcessorWorker } from '../../workers/processor/processor-worker.js'
import { Cleanup } from './cleanup.js'
import { freeUdpPort } from './local-mesh.js'
import { memoryStore } from './memory-storage.js'
import { MeshAuthority } from './mesh-authority.js'
import { firstConnection } from './mesh-fixture.js'

/** Chunks that any two workers of the test may be apart. */
export const STREAM_WINDOW_CHUNKS = 8

/** A worker of the test that can be ended before the test is. */
export interface LocalWorker {
  close(): Promise<void>
}

/**
 * The workers of a mesh in this process, as their entries wire them, over real DHT nodes on 127.0.0.1
 * with a bootstrap port of their own. Passwords are hashed cheaply and accounts kept in memory. All
 * are closed with the test.
 */
export class LocalWorkers {
  readonly #t: Test
  readonly #cleanup: Cleanup
  readonly #settings: NetworkSettings
  readonly #clock = new SystemClock()
  readonly #random = new SystemRandom()
  readonly #authority = new MeshAuthority(this.#clock)

  private constructor(t: Test, bootstrapPort: number) {
    this.#t = t
    this.#cleanup = new Cleanup(t)
    this.#settings = {
      bootstrapPort,
      bootstrapWatchIntervalMs: 100,
      announceIntervalMs: 200,
      lookupIntervalMs: 100,
      // A worker that is closed in the middle of an answer breaks it off.
      drainTimeoutMs: 0,
      helloTimeoutMs: 3_000,
      maxUnverifiedConnections: 32,
      maxConnections: 64,
      maxStreamsPerConnection: 64,
      maxCallsPerConnection: 64,
      streamWindowChunks: STREAM_WINDOW_CHUNKS,
      heartbeatIntervalMs: 500,
      heartbeatMissedLimit: 3,
    }
  }

  static async create(t: Test): Promise<LocalWorkers> {
    return new LocalWorkers(t, await freeUdpPort())
  }

  async auth(): Promise<LocalWorker> {
    const network = this.#network('auth')
    const store = memoryStore()
    const records = new DurableRecords(store, 'accounts', accountRecordSchema)
    this.#cleanup.add(() => store.close())
    this.#cleanup.add(() => records.close())
    const passwords = new PasswordHasher({ passes: 1, memoryBytes: 8192 })
    new AuthWorker({
      accounts: new Accounts({ records, passwords, clock: this.#clock, random: this.#random }),
      sessionKeys: new SessionKeys(createPrivateKeyPem(this.#random)),
      clock: this.#clock,
      mesh: this.#authority.mesh,
    }).service(network.service)
    await network.ready()
    return network
  }

  async gateway(): Promise<LocalWorker> {
    const network = this.#network('gateway')
    const worker = new GatewayWorker({
      service: network.service,
      mesh: this.#authority.mesh,
      auth: network.peers('auth'),
      processors: network.peers('processor'),
      clock: this.#clock,
      random: this.#random,
      loadIntervalMs: 100,
    })
    this.#cleanup.add(() => worker.close())
    await worker.ready()
    await network.ready()
    return network
  }

  /** A processor. Closing it closes its network before its engine, as a process does. */
  async processor(
    engine: Engine,
    { slots = 4, queueLength = 4 }: { slots?: number; queueLength?: number } = {},
  ): Promise<LocalWorker & { readonly worker: ProcessorWorker }> {
    const network = this.#network('processor')
    const worker = new ProcessorWorker({ service: network.service, engine, slots, queueLength })
    this.#cleanup.add(() => worker.close())
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
   * A client with a folder of its own.
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
      clock: this.#clock,
      random: this.#random,
    })
    await network.ready()
    if (waitMs === 0) await firstConnection(network.peers('gateway'))
    return client
  }

  #network(role: Role): MeshNetwork {
    const log = createLog({
      name: role,
      level: 'silent',
      json: true,
      output: { write: () => undefined },
    })
    const network = new MeshNetwork({
      role,
      secret: this.#authority.secret,
      identity: this.#authority.identity(role),
      clock: this.#clock,
      log,
      settings: this.#settings,
    })
    this.#cleanup.add(() => network.close())
    return network
  }
}
