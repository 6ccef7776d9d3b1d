#!/usr/bin/env node
import * as commands from '../config/command-line.js'
import * as engineFlags from '../config/engine-flags.js'
import { runWorker } from '../facilities/worker/run-worker.js'
import { runMesh } from './mesh/run-mesh.js'

/** The flags that only a mesh has. */
interface MeshFlags extends engineFlags.EngineFlags {
  readonly ask?: string
  readonly processors?: number
}

const { wholeNumber } = commands
const mesh = engineFlags
  .withEngineFlags(
    commands.createCommand('mesh', 'Runs a whole mesh on this machine, with a chat.'),
  )
  .option('--ask <text>', 'answer one question and end; - reads it from standard input')
  .option('--processors <n>', 'how many processors (default: 1)', wholeNumber)
  .option('--metrics-port <n>', 'the first of the ports for metrics, one a worker', wholeNumber)
mesh.action(async ({ ask, processors, ...flags }: MeshFlags) => {
  const processor = engineFlags.engineSettings(flags)
  const config = commands.configOf(mesh, { processor, mesh: { processors } })
  const common = commands.argumentsForAll(mesh)
  await runWorker('mesh', config, (resources, life) =>
    runMesh(resources, life, {
      home: config.home,
      processors: config.mesh.processors,
      ask,
      metricsPort: config.metrics.port,
      drainTimeoutMs: config.network.drainTimeoutMs,
      json: config.json,
      workerFlags: common,
      environment: process.env,
      processorVariables: engineFlags.engineVariables(flags),
      clientFlags: [...common, ...(config.json ? ['--json'] : [])],
    }),
  )
})
await commands.runCommand(mesh)
