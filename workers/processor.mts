#!/usr/bin/env node
import { configOf, type EngineFlags, engineSettings, withEngineFlags } from '../config/flags.js'
import { createWorkerCommand, runCommand, VERSION } from '../facilities/cli/command-line.js'
import { MeshNetwork } from '../facilities/network/mesh-network.js'
import { runWorker } from '../facilities/worker/run-worker.js'
import { openWorkerHost } from '../facilities/worker/worker-host.js'
import { WorkerWatch } from '../facilities/worker/worker-watch.js'
import { EnginePool } from './processor/engine-pool.js'
import { findModels } from './processor/processor-models.js'
import { reportPreparation } from './processor/processor-report.js'
import { ProcessorWorker } from './processor/processor-worker.js'
import { createBudget } from './processor/shared-budget.js'

const description = 'Runs language models and answers with them.'
const processor = withEngineFlags(createWorkerCommand('processor', description))
processor.action((flags: EngineFlags) => {
  const config = configOf(processor, { processor: engineSettings(flags) })
  return runWorker('processor', config, async (resources) => {
    const host = await openWorkerHost(resources, { ...config, role: 'processor', single: false })
    const { settings, offers, servers } = await findModels(config.processor, {
      ...host,
      ...{ environment: process.env, gatherMs: config.network.gatherMs },
      modelsDirectory: await host.home.folder('models'),
      onLog: (line) => host.log.debug({ line }, 'engine'),
      onProgress: reportPreparation(host.log),
      onCrash: (err) => host.log.error({ err }, 'engine crashed'),
    })
    const budget = await resources.open(await createBudget(settings, host))
    const pool = new EnginePool({ ...settings, ...host, offers, budget })
    const network = new MeshNetwork({ ...host, settings: config.network })
    const worker = new ProcessorWorker({ ...settings, service: network.service, pool, servers })
    await resources.open(new WorkerWatch({ ...config, ...host, network, worker, version: VERSION }))
    await resources.open(worker)
    await resources.open(network)
    await resources.open(servers)
    await worker.serving()
    host.log.info({ version: VERSION, models: pool.offered.map(({ name }) => name) }, 'ready')
  })
})
await runCommand(processor)
