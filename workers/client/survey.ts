import type { Clock } from '../../facilities/clock/clock.js'
import { Deadline } from '../../facilities/clock/deadline.js'
import type { Random } from '../../facilities/clock/random.js'
import type { MeshNetwork } from '../../facilities/network/mesh-network.js'
import type { PeerConnection } from '../../facilities/network/peer-connection.js'
import { createOrigin } from '../../facilities/network/request-context.js'
import type { RolePeers } from '../../facilities/network/role-peers.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { Role } from '../../helpers/identity/roles.js'
import { type ProcessorLoad, processorProtocol } from '../../helpers/protocol/processor-protocol.js'
import { type WorkerInfo, workerProtocol } from '../../helpers/protocol/worker-protocol.js'

/** Whoever has not answered by then is not counted. */
const SURVEY_TIMEOUT_MS = 3_000

/** A worker that was found. */
export interface FoundWorker {
  readonly role: Role
  readonly name: string
  readonly info?: WorkerInfo
  /** Only of processors. */
  readonly load?: ProcessorLoad
  /** Why it could not say how it is: an error code. */
  readonly error?: string
}

/** The roles that are looked for. Clients are not: they are not announced. */
export const SURVEYED_ROLES = ['auth', 'gateway', 'processor'] as const

/** Looks at the topics of all roles and asks everybody there who it is and how busy. */
export async function surveyMesh(
  network: MeshNetwork,
  options: { clock: Clock; random: Random; signal: AbortSignal },
): Promise<FoundWorker[]> {
  const { clock, random, signal } = options
  const found = await Promise.all(
    SURVEYED_ROLES.map(async (role) => {
      const peers = await network.look(role)
      await surveyed(peers, clock, signal)
      return await Promise.all(
        peers.connections.map((connection) => describe(role, connection, clock, random)),
      )
    }),
  )
  return found.flat()
}

async function surveyed(peers: RolePeers, clock: Clock, signal: AbortSignal): Promise<void> {
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
  connection: PeerConnection,
  clock: Clock,
  random: Random,
): Promise<FoundWorker> {
  const { name } = connection.peer.certificate
  const options = { origin: createOrigin(clock, random) }
  try {
    const info = await connection.call(workerProtocol.info, {}, options)
    if (role !== 'processor') return { role, name, info }
    const load = await connection.call(processorProtocol.load, {}, options)
    return { role, name, info, load }
  } catch (error) {
    if (!isStarlingError(error)) throw error
    return { role, name, error: error.code }
  }
}
