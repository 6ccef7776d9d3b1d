#!/usr/bin/env node
import { configOf, createCommand, runCommand, wholeNumber } from '../config/command-line.js'
import { runWorker } from '../facilities/process/run-worker.js'
import { runMesh } from './mesh/run-mesh.js'

/** The flags that only a mesh has. */
interface MeshFlags {
  readonly ask?: string
  readonly model?: string
  readonly processors?: number
  readonly config?: string
  readonly logLevel?: string
}

const mesh = createCommand('mesh', 'A whole mesh on this machine, and a prompt to type at.')
  .option('--ask <text>', 'answer one question and end')
  .option('--model <name>', 'the model to run: a name, or the path of a GGUF file')
  .option('--processors <n>', 'how many processors (default: 1)', wholeNumber)
  .option('--metrics-port <n>', 'the first of the ports for metrics, one a worker', wholeNumber)
mesh.action(async ({ ask, model, processors, config: file, logLevel }: MeshFlags) => {
  const config = configOf(mesh, { processor: { model }, mesh: { processors } })
  const common = [
    ...(file === undefined ? [] : ['--config', file]),
    ...(logLevel === undefined ? [] : ['--log-level', logLevel]),
  ]
  await runWorker('mesh', (resources, life) =>
    runMesh(resources, life, {
      home: config.home,
      processors: config.mesh.processors,
      ask,
      metricsPort: config.metrics.port,
      workerFlags: common,
      processorFlags: ['--model', config.processor.model],
      clientFlags: [...common, ...(config.json ? ['--json'] : [])],
    }),
  )
})
await runCommand(mesh)
