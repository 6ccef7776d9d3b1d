import { readFileSync } from 'node:fs'
import { unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'brittle'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import { parseGgufHeader } from '../../../helpers/models/gguf/gguf-header.js'
import { ggufModelFacts } from '../../../helpers/models/gguf/gguf-model-facts.js'
import { TINY_MODEL_PATH } from '../../helpers/engine/tiny-llama.js'
import { type GgufDraft, readDraft } from '../../helpers/gguf/gguf-draft.js'
import { GgufLoader } from '../../helpers/gguf/gguf-loader.js'
import { fileOf, setKey, syntheticDraft, whole } from '../../helpers/gguf/gguf-scene.js'
import { type GgufMutant, mutantFile, mutateGguf } from '../../helpers/gguf/mutated-gguf.js'
import { syntheticGguf } from '../../helpers/gguf/synthetic-gguf.js'
import { scaled } from '../../helpers/scale.js'

/** Of all models together. */
const MUTANTS = scaled(10_000)

/** Of each model, as loading takes time: those that differ in what was changed, not in where. */
const LOADED_OF_EACH = scaled(750)

const REFUSAL_LIMIT_MS = 50

/** On a machine that is busy with other tests. */
const TIMEOUT_MS = scaled(1_100_000)

/** Side by side. */
const LOADERS = 2

const BASES: ReadonlyMap<string, GgufDraft> = new Map([
  ['tiny-stories', readDraft(readFileSync(TINY_MODEL_PATH))],
  ['llama', readDraft(syntheticGguf('llama'))],
  ['qwen2', readDraft(syntheticGguf('qwen2'))],
  ['bert', readDraft(syntheticGguf('bert'))],
])

/** Those that were accepted, by the model that they were made of. */
const accepted = new Map<string, GgufMutant[]>()

/** What the validator throws; null when it accepts. */
function validate(mutant: GgufMutant): unknown {
  try {
    const head = mutant.head.subarray(0, mutant.sizeBytes)
    const { header } = parseGgufHeader(head, mutant.sizeBytes)
    // The head of a mutant may claim that what follows is part of it.
    const whole = header ?? parseGgufHeader(mutantFile(mutant), mutant.sizeBytes).header
    if (whole === undefined) return new RangeError('more bytes are needed than there are')
    ggufModelFacts(whole)
    return null
  } catch (error) {
    return error
  }
}

/** The least of a few times, because the machine may be busy with something else. */
function validationMs(mutant: GgufMutant): number {
  let leastMs = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < 5 && leastMs > REFUSAL_LIMIT_MS; attempt++) {
    const startedAt = performance.now()
    validate(mutant)
    leastMs = Math.min(leastMs, performance.now() - startedAt)
  }
  return leastMs
}

test('should refuse with a typed error or accept, at once, when a header was changed', async (t) => {
  t.timeout(TIMEOUT_MS)
  let refused = 0
  for (const [name, base] of BASES) {
    const list: GgufMutant[] = []
    for (let seed = 0; seed < MUTANTS / BASES.size; seed++) {
      const mutant = mutateGguf(base, seed)
      const startedAt = performance.now()
      const error = validate(mutant)
      const tookMs = performance.now() - startedAt
      const label = () => `${name} ${seed}: ${JSON.stringify(mutant.changes)}`
      if (tookMs > REFUSAL_LIMIT_MS && validationMs(mutant) > REFUSAL_LIMIT_MS) {
        t.fail(`${label()} took ${tookMs} ms`)
      }
      if (error === null) list.push(mutant)
      else if (isStarlingError(error, 'MODEL_INVALID', 'MODEL_UNSUPPORTED')) refused += 1
      else t.fail(`${label()} threw ${error}`)
    }
    accepted.set(name, list)
  }
  const passed = [...accepted.values()].reduce((sum, { length }) => sum + length, 0)
  t.is(refused + passed, BASES.size * Math.ceil(MUTANTS / BASES.size))
  t.ok(refused > MUTANTS / 2 && passed > MUTANTS / 20, `${refused} refused, ${passed} accepted`)
})

/** Some of each kind of change, spread over all of them. */
function chosen(mutants: readonly GgufMutant[]): readonly GgufMutant[] {
  const kinds = new Map<string, GgufMutant>()
  for (const mutant of mutants) {
    const kind = mutant.changes
      .join()
      .replace(/blk\.\d+/g, 'blk')
      .replace(/(item|byte|bytes|at|from) \d+/g, '$1')
    if (!kinds.has(kind)) kinds.set(kind, mutant)
  }
  const all = [...kinds.values()]
  const step = Math.max(1, all.length / LOADED_OF_EACH)
  return all.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step))
}

test('should keep the process alive when what was accepted is loaded', async (t) => {
  t.timeout(TIMEOUT_MS)
  const folder = await t.tmp()
  const queue = [...accepted].flatMap(([name, mutants]) =>
    chosen(mutants).map((mutant) => ({ name, mutant })),
  )
  const ends = { loaded: 0, failed: 0, died: 0, hung: 0 }
  const starts = await Promise.all(
    Array.from({ length: LOADERS }, async () => {
      const loader = new GgufLoader()
      t.teardown(async () => await loader.close())
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const { name, mutant } = next
        const path = join(folder, `${name}-${mutant.seed}.gguf`)
        await writeFile(path, mutantFile(mutant))
        const result = await loader.load(path)
        await unlink(path)
        ends[result.end] += 1
        if (result.end !== 'died' && result.end !== 'hung') continue
        t.fail(`${name} ${mutant.seed} ${result.end}: ${mutant.changes.join()}: ${result.reason}`)
      }
      return loader.starts
    }),
  )
  t.alike(starts, new Array(LOADERS).fill(1), 'no process had to be started again')
  // llama.cpp itself reports missing tensors and most wrong lengths.
  t.ok(ends.loaded > 2 * ends.failed, `${ends.loaded} loaded, ${ends.failed} refused by llama.cpp`)
})

test('should notice when a file crashes the process, so that the tests above are meaningful', async (t) => {
  const loader = new GgufLoader()
  t.teardown(async () => await loader.close())
  const path = join(await t.tmp(), 'aborts.gguf')
  await writeFile(path, fileOf(setKey(syntheticDraft('bert'), 'bert.pooling_type', whole(99))))
  t.is((await loader.load(path)).end, 'died')
  await writeFile(path, syntheticGguf('bert'))
  t.alike(await loader.load(path), { end: 'loaded' })
})
