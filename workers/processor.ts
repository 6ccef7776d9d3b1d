#!/usr/bin/env node
import { configOf, createWorkerCommand, runCommand, VERSION } from '../config/command-line.js'
import { LlamaEngine } from '../facilities/engine/llama-engine.js'
import { MeshNetwork } from '../facilities/network/mesh-network.js'
import { tellParent } from '../facilities/process/parent.js'
import { runWorker } from '../facilities/process/run-worker.js'
import { openWorkerHost } from '../facilities/process/worker-host.js'
import { WorkerWatch } from '../facilities/process/worker-watch.js'
import { ProcessorWorker } from './processor/processor-worker.js'

const processor = createWorkerCommand(
  'processor',
  'Runs a language model and answers with it.',
).option('--model <name>', 'the model to run: a name, or the path of a GGUF file')
processor.action(({ model }: { model?: string }) => {
  const config = configOf(processor, { processor: { model } })
  return runWorker('processor', async (resources) => {
    const host = await openWorkerHost(resources, { ...config, role: 'processor', single: false })
    const engine = new LlamaEngine({
      ...config.processor,
      clock: host.clock,
      modelsDirectory: await host.home.folder('models'),
      onLog: (line) => host.log.debug({ line }, 'engine'),
      onProgress: ({ phase, fraction }) =>
        tellParent({ kind: 'progress', activity: phase, fraction }),
      onCrash: (err) => host.log.error({ err }, 'engine crashed'),
    })
    const network = new MeshNetwork({ ...host, settings: config.network })
    const worker = new ProcessorWorker({ ...config.processor, service: network.service, engine })
    await resources.open(new WorkerWatch({ ...config, ...host, network, worker, version: VERSION }))
    await resources.open(worker)
    await resources.open(network)
    await worker.serving()
    host.log.info({ version: VERSION, model: engine.info().model }, 'ready')
  })
})
await runCommand(processor)
