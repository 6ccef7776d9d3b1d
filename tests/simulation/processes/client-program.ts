import { createSandbox } from 'sinon'
import { ClientFolder, type StoredSession } from '../../../facilities/home/client-folder.js'
import { ClientWorker } from '../../../workers/client/client-worker.js'
import type { SimulatedProcess } from './simulated-process.js'

/** How long a client waits for workers that are not there. */
const WAIT_MS = 5_000

/** Starts a client, whose session is kept in memory. */
export async function startClient(process: SimulatedProcess): Promise<ClientWorker> {
  const network = process.createNetwork()
  const client = new ClientWorker({
    gateways: network.peers('gateway'),
    folder: memoryFolder(),
    lookedFor: 'the gateways of the simulation',
    waitMs: WAIT_MS,
    onWaiting: () => undefined,
    clock: process.clock,
    random: process.random,
  })
  await process.resources.open(network)
  return client
}

function memoryFolder(): ClientFolder {
  let kept: StoredSession | undefined
  // A separate sandbox: the default one keeps every stub that was ever made.
  const folder = createSandbox().createStubInstance(ClientFolder)
  folder.session.callsFake(async () => kept)
  folder.saveSession.callsFake(async (session) => {
    kept = session
  })
  folder.localAccount.resolves(undefined)
  return folder
}
