import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'brittle'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { ModelCache } from '../../../facilities/models/cache/model-cache.js'
import { inspectGguf } from '../../../facilities/models/gguf-inspection.js'
import { estimateModelMemoryBytes } from '../../../helpers/models/gguf/model-memory.js'
import { SHARED_MODELS_DIRECTORY, TINY_MODEL_PATH } from '../../helpers/engine/tiny-llama.js'

const CHILD_PATH = fileURLToPath(
  new URL('../../helpers/engine/model-memory-child.js', import.meta.url),
)

/** What loading a model really takes, at its peak. */
async function measured(path: string, slots: number, contextTokens: number): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    CHILD_PATH,
    path,
    String(slots),
    String(contextTokens),
  ])
  return Number(stdout)
}

for (const [name, slots, contextTokens] of [
  ['tiny', 16, 256],
  ['minimind2-small', 1, 512],
  ['minimind2-small', 4, 4096],
  ['minimind2-small', 2, 32_768],
] as const) {
  test(`should estimate no less memory than is used, and not much more, when ${name} has ${slots} slots of ${contextTokens}`, async (t) => {
    const cache = new ModelCache({ directory: SHARED_MODELS_DIRECTORY, random: new SystemRandom() })
    const path = name === 'tiny' ? TINY_MODEL_PATH : (await cache.prepare(name)).path
    const { facts, sizeBytes } = await inspectGguf(path)
    const estimate = estimateModelMemoryBytes(facts, {
      fileSizeBytes: sizeBytes,
      slots,
      contextTokens,
    })
    const taken = await measured(path, slots, contextTokens)
    const said = `${Math.round(estimate / 1e6)} MB estimated, ${Math.round(taken / 1e6)} taken`
    t.ok(taken > 50e6 && estimate >= taken, said)
    t.ok(estimate <= 1.5 * taken + 150e6, said)
  })
}
