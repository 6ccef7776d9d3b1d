import { GatewayWorker } from '../../../workers/gateway/gateway-worker.js'
import { ADMIT_FREELY } from '../../helpers/workers/admission-settings.js'
import type { SimulatedProcess } from './simulated-process.js'

const LOAD_INTERVAL_MS = 500

/** Starts a gateway. @param answersPerUser that one user may have in progress */
export async function startGateway(
  process: SimulatedProcess,
  answersPerUser: number,
): Promise<GatewayWorker> {
  const network = process.createNetwork()
  const worker = new GatewayWorker({
    ...ADMIT_FREELY,
    answersPerUser,
    service: network.service,
    mesh: process.world.authority.mesh,
    auth: network.peers('auth'),
    processors: network.peers('processor'),
    clock: process.clock,
    random: process.random,
    loadIntervalMs: LOAD_INTERVAL_MS,
  })
  await process.resources.open(worker)
  await process.resources.open(network)
  return worker
}
