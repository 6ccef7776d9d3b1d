import { spawn } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { Home } from '../../../facilities/home/home.js'
import { RootIdentitySource } from '../../../facilities/home/identity-source.js'
import { openMeshKeys, rootKeyOf } from '../../../facilities/home/mesh-keys.js'
import { openWorkerIdentity } from '../../../facilities/home/worker-identity.js'
import { createOrigin } from '../../../facilities/network/calls/request-context.js'
import { MeshEndpoint } from '../../../facilities/network/connection/mesh-endpoint.js'
import type { OutgoingConnection } from '../../../facilities/network/connection/outgoing-connection.js'
import { topicOf } from '../../../facilities/network/discovery/announcement.js'
import { KnownPeers } from '../../../facilities/network/discovery/known-peers.js'
import { RolePeers } from '../../../facilities/network/discovery/role-peers.js'
import { openStore } from '../../../facilities/store/open-store.js'
import { accountKey, parseAccount } from '../../../helpers/accounts/account-record.js'
import { authProtocol } from '../../../helpers/protocol/auth-protocol.js'
import { RECORDS } from '../../../workers/auth/account-store.js'
import type { Cleanup } from '../cleanup.js'
import { localMode } from '../network/local-mesh.js'
import { firstConnection, TEST_LIMITS } from '../network/mesh-fixture.js'
import { freeUdpPort } from '../network/udp-port.js'
import { createRecords, valueAt } from '../storage/local-records.js'
import { settle, until } from '../until.js'
import { Running } from './worker-processes.js'

const ROOT = join(import.meta.dirname, '..', '..', '..')
const HOLD_START = pathToFileURL(join(import.meta.dirname, 'hold-start.js')).href
const PASSWORD = 'correct horse battery'
/** The client on whose behalf the gateway calls. */
const PEER = 'ab'.repeat(32)
/** Concurrent registrations: two hash, the others wait. */
const CALLERS = 4

/**
 * An auth worker, a process as a user starts one, that is killed again and again while a gateway of
 * its home registers users through it; and the users that it has acknowledged so far.
 */
export class KilledAuth {
  readonly clock = new SystemClock()
  /** The user ids that were acknowledged, by e-mail address. */
  readonly acknowledged = new Map<string, string>()
  /** Registrations that a kill interrupted: they may be stored or not. */
  cutOff = 0
  /** Additional environment variables of the worker. */
  environment: Record<string, string> = {}
  readonly #home: Home
  readonly #port: number
  readonly #cleanup: Cleanup
  readonly #random = new SystemRandom()
  #peers: RolePeers | null = null
  #next: Running | null = null
  #lives = 0

  private constructor(home: Home, port: number, cleanup: Cleanup) {
    this.#home = home
    this.#port = port
    this.#cleanup = cleanup
  }

  /** @param cleanup undoes everything when the test is over */
  static async create(cleanup: Cleanup): Promise<KilledAuth> {
    const directory = await mkdtemp(join(tmpdir(), 'starling-e2e-'))
    cleanup.add(() => rm(directory, { recursive: true, force: true }))
    const home = await Home.open(directory)
    await home.folder('auth')
    const auth = new KilledAuth(home, await freeUdpPort(), cleanup)
    await auth.#joinMesh()
    return auth
  }

  /** The folder of the worker in its home. */
  get folder(): string {
    return this.#home.path('auth')
  }

  /**
   * Starts the worker, registers users, and kills it: after some were acknowledged, in the middle of
   * others.
   */
  async live(acknowledgements: number, turnsLonger: number): Promise<void> {
    this.#lives += 1
    const worker = await this.#start()
    const connection = await firstConnection(this.#connections, 15_000)
    const killed = new AbortController()
    const before = this.acknowledged.size
    const callers = Array.from({ length: CALLERS }, (_, caller) =>
      this.#registerUntil(killed.signal, connection, `user-${this.#lives}-${caller}`),
    )
    await until(
      `${acknowledgements} acknowledgements`,
      () => this.acknowledged.size - before >= acknowledgements,
      30_000,
    )
    await settle(turnsLonger)
    await worker.kill()
    killed.abort(new Error('killed'))
    connection.destroy()
    await Promise.all(callers)
  }

  /** Starts the worker once more and logs these users in; it goes on until `use` has resolved. */
  async logIn(emails: readonly string[]): Promise<void> {
    const worker = await this.#start()
    const connection = await firstConnection(this.#connections, 15_000)
    for (const email of emails) {
      await connection.call(
        authProtocol.login,
        { email, password: PASSWORD, peer: PEER },
        this.#call(),
      )
    }
    await worker.kill()
    connection.destroy()
  }

  /** The acknowledged users that are missing or different in its store. Reads a copy. */
  async lost(): Promise<string[]> {
    const copy = `${this.folder}.copy`
    await cp(this.folder, copy, { recursive: true })
    try {
      return await this.#lostIn(join(copy, 'store'))
    } finally {
      await rm(copy, { recursive: true })
    }
  }

  async #lostIn(directory: string): Promise<string[]> {
    const store = await openStore(directory, { clock: this.clock })
    const records = createRecords(store, RECORDS)
    const lost: string[] = []
    for (const [email, userId] of this.acknowledged) {
      const value = await valueAt(records, accountKey(email))
      if (value === undefined || parseAccount(value).userId !== userId) lost.push(email)
    }
    await records.close()
    await store.close()
    return lost
  }

  async #start(): Promise<Running> {
    const worker = this.#next ?? this.#spawn()
    worker.process.stdin?.end('go\n')
    await worker.says(' ready ', 30_000)
    this.#next = this.#spawn()
    return worker
  }

  /** A worker that is loaded and waits for its turn. */
  #spawn(): Running {
    const parameters = ['--import', HOLD_START, join(ROOT, 'workers', 'auth.js')]
    const env = {
      ...process.env,
      STARLING_HOME: this.#home.directory,
      STARLING_NETWORK__BOOTSTRAP_PORT: String(this.#port),
      ...this.environment,
    }
    const worker = new Running(
      spawn(process.execPath, parameters, { cwd: ROOT, env, stdio: 'pipe' }),
    )
    this.#cleanup.add(() => worker.kill())
    return worker
  }

  async #registerUntil(signal: AbortSignal, first: OutgoingConnection, name: string) {
    let connection = first
    for (let count = 1; !signal.aborted; count += 1) {
      const email = `${name}-${count}@example.com`
      try {
        const { userId } = await connection.call(
          authProtocol.register,
          { email, password: PASSWORD, peer: PEER },
          { ...this.#call(), signal },
        )
        this.acknowledged.set(email, userId)
      } catch (error) {
        // Only an acknowledgement that arrives counts.
        if (!signal.aborted && connection.isOpen) throw error
        this.cutOff += 1
        if (signal.aborted) return
        // Not killed: on a very busy machine the worker may seem lost until it is found again.
        await this.#found(signal)
        connection = this.#connections.connections[0] ?? connection
      }
    }
  }

  /** Waits until the worker is connected, or has been killed. */
  async #found(signal: AbortSignal): Promise<void> {
    const isFound = () => signal.aborted || this.#connections.connections.length > 0
    await until('the worker to be found again', isFound, 30_000)
  }

  async #joinMesh(): Promise<void> {
    const { clock } = this
    const cleanup = this.#cleanup
    const meshKeys = await openMeshKeys(this.#home, this.#random)
    const folder = await this.#home.folder('gateway')
    const random = this.#random
    const root = rootKeyOf(this.#home, meshKeys)
    const source = new RootIdentitySource({ root, clock, random })
    const identity = await openWorkerIdentity(folder, 'gateway', {
      meshKeys,
      source,
      name: 'gateway',
      random,
    })
    const mode = localMode(this.#port)
    const bootstrap = mode.shareBootstrap({ clock })
    cleanup.add(() => bootstrap.close())
    await bootstrap.ready()
    const dht = mode.createDht()
    cleanup.add(() => dht.destroy({ force: true }))
    const node = new MeshEndpoint({ dht, identity, clock, limits: TEST_LIMITS, service: null })
    cleanup.add(() => node.close())
    await node.ready()
    this.#peers = new RolePeers({
      role: 'auth',
      self: identity.keyPair.publicKey,
      topic: topicOf(meshKeys.secret, 'auth'),
      dht,
      node,
      known: new KnownPeers({ clock, store: null }),
      clock,
      random: this.#random,
      intervalMs: 50,
    })
    const peers = this.#peers
    cleanup.add(() => peers.close())
    await peers.ready()
  }

  get #connections(): RolePeers {
    if (this.#peers === null) throw new Error('Not in the mesh yet')
    return this.#peers
  }

  #call() {
    return { origin: createOrigin(this.clock, this.#random) }
  }
}
