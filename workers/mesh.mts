#!/usr/bin/env node
import * as flags from '../config/flags.js'
import { createCommand, runCommand, wholeNumber } from '../facilities/cli/command-line.js'
import { runWorker } from '../facilities/worker/run-worker.js'
import { runMesh } from './mesh/run-mesh.js'

/** The flags that only a mesh has. */
interface MeshFlags extends flags.EngineFlags {
  readonly ask?: string
  readonly processors?: number
}

const command = createCommand('mesh', 'Runs a whole mesh on this machine, with a chat.')
const mesh = flags
  .withEngineFlags(command)
  .option('--ask <text>', 'answer one prompt and exit; - reads it from standard input')
  .option('--processors <n>', 'how many processors (default: 1)', wholeNumber)
  .option('--metrics-port <n>', 'the first of the ports for metrics, one per worker', wholeNumber)
mesh.action(async ({ ask, processors, ...engines }: MeshFlags) => {
  const processor = flags.engineSettings(engines)
  const config = flags.configOf(mesh, { processor, mesh: { processors } })
  const workerFlags = flags.workerFlags(mesh)
  await runWorker('mesh', config, (resources, life) =>
    runMesh(resources, life, {
      home: config.home,
      processors: config.mesh.processors,
      ask,
      metricsPort: config.metrics.port,
      drainTimeoutMs: config.network.drainTimeoutMs,
      json: config.json,
      workerFlags,
      environment: process.env,
      processorVariables: flags.engineVariables(engines),
      clientFlags: [...workerFlags, ...(config.json ? ['--json'] : [])],
    }),
  )
})
await runCommand(mesh)
