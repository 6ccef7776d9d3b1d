import type { Clock } from '../../facilities/clock/clock.js'
import { Deadline } from '../../facilities/clock/deadline.js'
import type { Random } from '../../facilities/clock/random.js'
import type { Peer, PeerSearch } from '../../facilities/network/calls/peers.js'
import { createOrigin } from '../../facilities/network/calls/request-context.js'
import type { MeshNetwork } from '../../facilities/network/mesh-network.js'
import type { ErrorCode } from '../../helpers/errors/error-codes.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { Role } from '../../helpers/identity/roles.js'
import { type ProcessorLoad, processorProtocol } from '../../helpers/protocol/processor-protocol.js'
import { type WorkerInfo, workerProtocol } from '../../helpers/protocol/worker-protocol.js'

/** Workers that have not answered after this time are ignored. */
const SURVEY_TIMEOUT_MS = 3_000

/** A worker that was found. */
export interface FoundWorker {
  readonly role: Role
  readonly name: string
  readonly info?: WorkerInfo
  /** Only of processors. */
  readonly load?: ProcessorLoad
  /** The error code, if its state could not be queried. */
  readonly error?: string
}

/** A worker that has announced itself but could not be connected. */
export interface UnreachedWorker {
  readonly role: Role
  /** The beginning of its public key, as in the logs. */
  readonly key: string
  /** The error code of the last dial; null if it has not answered yet. */
  readonly code: ErrorCode | null
}

/** The state of a mesh. */
export interface MeshStatus {
  /** The DHT node through which all workers of this machine find each other. */
  readonly bootstrap: { readonly address: string; readonly isReachable: boolean }
  readonly workers: readonly FoundWorker[]
  readonly unreached: readonly UnreachedWorker[]
}

/** The roles that are looked for. Clients do not announce themselves. */
export const STATUS_ROLES = ['auth', 'gateway', 'processor'] as const

/** Looks up the topics of all roles and queries all workers for their state. */
export async function readMeshStatus(
  network: MeshNetwork,
  options: { clock: Clock; random: Random; signal: AbortSignal },
): Promise<MeshStatus> {
  const { clock, random, signal } = options
  const [bootstrap, ...found] = await Promise.all([
    network.pingBootstrap(),
    ...STATUS_ROLES.map(async (role) => {
      const peers = await network.look(role)
      await surveyed(peers, clock, signal)
      const workers = await Promise.all(
        peers.connections.map((peer) => describe(role, peer, clock, random)),
      )
      const unreached = peers.unreached.map(({ publicKey, code }) => ({
        role,
        key: Buffer.from(publicKey).toString('hex').slice(0, 12),
        code,
      }))
      return { workers, unreached }
    }),
  ])
  return {
    bootstrap,
    workers: found.flatMap(({ workers }) => workers),
    unreached: found.flatMap(({ unreached }) => unreached),
  }
}

async function surveyed(peers: PeerSearch, clock: Clock, signal: AbortSignal): Promise<void> {
  const deadline = new Deadline(clock, SURVEY_TIMEOUT_MS, signal)
  try {
    await deadline.race(peers.surveyed())
  } catch (error) {
    if (!isStarlingError(error, 'DEADLINE_EXCEEDED')) throw error
  } finally {
    deadline.dispose()
  }
}

async function describe(
  role: Role,
  peer: Peer,
  clock: Clock,
  random: Random,
): Promise<FoundWorker> {
  const { name } = peer.identity.certificate
  const options = { origin: createOrigin(clock, random) }
  try {
    const info = await peer.call(workerProtocol.info, {}, options)
    if (role !== 'processor') return { role, name, info }
    const load = await peer.call(processorProtocol.load, {}, options)
    return { role, name, info, load }
  } catch (error) {
    if (!isStarlingError(error)) throw error
    return { role, name, error: error.code }
  }
}
