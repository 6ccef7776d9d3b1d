#!/usr/bin/env node
import { configOf } from '../config/flags.js'
import { createWorkerCommand, runCommand, VERSION } from '../facilities/cli/command-line.js'
import { MeshNetwork } from '../facilities/network/mesh-network.js'
import { runWorker } from '../facilities/worker/run-worker.js'
import { openWorkerHost } from '../facilities/worker/worker-host.js'
import { WorkerWatch } from '../facilities/worker/worker-watch.js'
import { GatewayWorker } from './gateway/gateway-worker.js'

const description = 'Accepts clients: verifies users, picks a processor, relays its answer.'
const gateway = createWorkerCommand('gateway', description)
gateway.action(() => {
  const config = configOf(gateway)
  return runWorker('gateway', config, async (resources) => {
    const host = await openWorkerHost(resources, { ...config, role: 'gateway', single: false })
    const network = new MeshNetwork({ ...host, settings: config.network })
    const worker = new GatewayWorker({
      ...host,
      ...config.gateway,
      service: network.service,
      mesh: host.identity.mesh,
      auth: network.peers('auth'),
      processors: network.peers('processor'),
    })
    await resources.open(new WorkerWatch({ ...config, ...host, network, worker, version: VERSION }))
    await resources.open(worker)
    await resources.open(network)
    host.log.info({ version: VERSION }, 'ready')
  })
})
await runCommand(gateway)
