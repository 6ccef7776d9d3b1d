import { ClientFolder } from '../../facilities/home/client-folder.js'
import { MeshNetwork, type NetworkSettings } from '../../facilities/network/mesh-network.js'
import { whenParentGone } from '../../facilities/process/parent.js'
import { ResourceStack } from '../../facilities/process/resource-stack.js'
import { EXIT_CODES } from '../../facilities/process/run-worker.js'
import type { HostSettings, WorkerHost } from '../../facilities/process/worker-host.js'
import { openClientHost } from '../../facilities/process/worker-host.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { ClientWorker } from './client-worker.js'
import { Output } from './output.js'

/** What a client command is started with. Comes from the configuration. */
export interface ClientSettings extends HostSettings {
  readonly network: NetworkSettings
  readonly client: { readonly waitMs: number }
}

/** What a client command works with. */
export interface ClientTools {
  readonly host: WorkerHost
  readonly client: ClientWorker
  readonly output: Output
  readonly network: MeshNetwork
  /** Aborted by Ctrl-C, SIGTERM and the end of the process that started this one. */
  readonly signal: AbortSignal
}

/** Runs one client command and ends the process with its exit code: 0 done, 1 failed, 2 bad usage. */
export async function runClient(
  settings: ClientSettings,
  command: (tools: ClientTools) => Promise<void>,
): Promise<void> {
  const output = new Output({
    json: settings.json,
    result: process.stdout,
    notices: process.stderr,
  })
  const resources = new ResourceStack()
  const signal = endOfProcess()
  let exitCode: number = EXIT_CODES.done
  try {
    const host = await openClientHost(settings)
    const network = new MeshNetwork({ ...host, settings: settings.network })
    const gateways = network.peers('gateway')
    const client = new ClientWorker({
      ...host,
      gateways,
      folder: await ClientFolder.open(host.home, host.random),
      lookedFor:
        `gateways of mesh ${host.identity.mesh.slice(0, 12)} (home ${host.home.directory}) ` +
        `by the DHT at 127.0.0.1:${settings.network.bootstrapPort}`,
      waitMs: settings.client.waitMs,
      onWaiting: ({ message }) => output.notice(`${message}; waiting …`),
    })
    await resources.open(network)
    await command({ host, network, client, output, signal })
  } catch (error) {
    exitCode = isStarlingError(error, 'BAD_USAGE') ? EXIT_CODES.badUsage : EXIT_CODES.failed
    output.failure(error)
  }
  await resources.close()
  process.exit(exitCode)
}

function endOfProcess(): AbortSignal {
  const controller = new AbortController()
  const end = () => {
    if (controller.signal.aborted) process.exit(EXIT_CODES.failed)
    controller.abort(new StarlingError('CANCELLED', 'Cancelled'))
  }
  // The reader of a pipe may leave before the end of an answer: `client.js ask … | head -1`.
  process.stdout.on('error', (cause) =>
    controller.abort(new StarlingError('CANCELLED', 'Nobody reads the output', { cause })),
  )
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
  whenParentGone(end)
  return controller.signal
}
