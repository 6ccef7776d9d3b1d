import { certifyRosterKey, deriveRosterKey } from '../../helpers/discovery/roster-key.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { KeyPair } from '../../helpers/identity/key-pair.js'
import type { Role } from '../../helpers/identity/roles.js'
import type { Clock } from '../clock/clock.js'
import { type Random, SystemRandom } from '../clock/random.js'
import { SystemClock } from '../clock/system-clock.js'
import { Home } from '../home/home.js'
import { RootIdentitySource } from '../home/identity-source.js'
import { findMeshKeys, type MeshKeys, openMeshKeys, rootKeyOf } from '../home/mesh-keys.js'
import { PeersFile } from '../home/peers-file.js'
import { WorkerFolder } from '../home/worker-folder.js'
import { openWorkerIdentity, type WorkerIdentity } from '../home/worker-identity.js'
import { createLog, type Log, type LogLevel } from '../log/log.js'
import type { RosterSettings } from '../network/discovery/mesh-roster.js'
import { RosterFile } from '../network/discovery/roster-file.js'
import { LoopbackMode, type LoopbackSettings } from '../network/modes/loopback-mode.js'
import type { NetworkMode } from '../network/modes/network-mode.js'
import type { ResourceStack } from './resource-stack.js'

/** The settings of all workers. Comes from the configuration. */
export interface HostSettings {
  readonly home: string
  /** Default: `info`; for a client, which informs its user in other ways, `warn`. */
  readonly logLevel?: LogLevel | undefined
  /** JSON log lines. */
  readonly json: boolean
  readonly network: LoopbackSettings
}

/** What every worker needs: its home, identity, log, clock and randomness. */
export interface WorkerHost {
  readonly role: Role
  readonly home: Home
  /** The worker's own folder in the home, an absolute path. */
  readonly folder: string
  readonly identity: WorkerIdentity
  /** The mesh secret. */
  readonly secret: Uint8Array
  /** The network in which its workers reach each other. */
  readonly mode: NetworkMode
  /** The workers that the processes of the home have found. */
  readonly peerStore: PeersFile
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
  readonly roster: RosterSettings
  /** Signs the roster, which only auth does. */
  readonly rosterKey: KeyPair
}

/**
 * Opens the folder of a serving worker in a home, locks it, and opens its identity and log.
 *
 * @param options.single true for a role that may run only once in a home
 * @throws StarlingError HOME_UNUSABLE, HOME_IN_USE
 */
export async function openWorkerHost(
  resources: ResourceStack,
  options: HostSettings & { role: Role; single: boolean },
): Promise<WorkerHost> {
  const home = await Home.open(options.home)
  const folder = new WorkerFolder(home, options.role, { single: options.single })
  await resources.open(folder)
  const meshKeys = await openMeshKeys(home, new SystemRandom())
  return await createHost({ home, folder: folder.path, name: folder.name, meshKeys }, options)
}

/**
 * Opens the folder that all clients of a home share. Any number of clients may run at the same time. A client
 * does not create a mesh: if the home is the wrong folder, it fails instead of waiting for workers.
 *
 * @throws StarlingError MESH_NOT_FOUND if the home contains no mesh, in which case nothing is created;
 *   HOME_UNUSABLE
 */
export async function openClientHost(options: HostSettings): Promise<WorkerHost> {
  const home = await Home.find(options.home)
  const meshKeys = home && (await findMeshKeys(home))
  if (home === undefined || meshKeys === undefined) {
    throw new StarlingError('MESH_NOT_FOUND', `There is no mesh in ${options.home}`)
  }
  const place = { home, folder: await home.folder('client'), name: 'client', meshKeys }
  return await createHost(place, { ...options, role: 'client' })
}

/** The folder of a worker and the keys of its mesh. */
interface WorkerPlace {
  readonly home: Home
  readonly folder: string
  readonly name: string
  readonly meshKeys: MeshKeys
}

async function createHost(
  { home, folder, name, meshKeys }: WorkerPlace,
  options: HostSettings & { role: Role },
): Promise<WorkerHost> {
  const { role } = options
  const clock = new SystemClock()
  const random = new SystemRandom()
  const root = rootKeyOf(home, meshKeys)
  const source = new RootIdentitySource({ root, clock, random })
  const identity = await openWorkerIdentity(folder, role, { meshKeys, source, name, random })
  const log = createLog({
    name,
    level: options.logLevel ?? (role === 'client' ? 'warn' : 'info'),
    json: options.json,
    output: process.stderr,
  })
  const peerStore = new PeersFile({ home, mesh: meshKeys.mesh, clock, random, log })
  const rosterKey = deriveRosterKey(root)
  const roster = {
    certificate: certifyRosterKey(root, rosterKey.publicKey),
    store: new RosterFile({
      path: home.path('mesh', 'roster.json'),
      clock,
      random,
      onFailed: (err) => log.warn({ err }, 'the roster of the home cannot be used'),
    }),
  }
  return {
    role,
    home,
    folder,
    identity,
    secret: meshKeys.secret,
    mode: new LoopbackMode(options.network),
    peerStore,
    log,
    clock,
    random,
    roster,
    rosterKey,
  }
}
