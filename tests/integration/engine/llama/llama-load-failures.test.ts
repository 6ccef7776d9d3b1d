import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import type { Random } from '../../../../facilities/clock/random.js'
import { SystemClock } from '../../../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../../../facilities/engine/llama/llama-engine.js'
import { standInLlama, TINY_MODEL_PATH } from '../../../helpers/engine/tiny-llama.js'
import {
  fileOf,
  renamedDraft,
  setKey,
  syntheticDraft,
  text,
} from '../../../helpers/gguf/gguf-scene.js'
import { SeededRandom } from '../../../helpers/seeded-random.js'

async function startWith(t: Test, model: string): Promise<void> {
  const engine = new LlamaEngine({
    model,
    modelsDirectory: await t.tmp(),
    clock: new SystemClock(),
    gpu: false,
  })
  t.teardown(async () => await engine.dispose())
  await engine.load()
}

test('should fail with MODEL_INVALID when the file is cut off', async (t) => {
  const path = join(await t.tmp(), 'cut-off.gguf')
  await writeFile(path, (await readFile(TINY_MODEL_PATH)).subarray(0, 1_000_000))
  await t.exception(startWith(t, path), { code: 'MODEL_INVALID' })
})

test('should refuse a huge file for its header and its size, before it reads all of it', async (t) => {
  const directory = await t.tmp()
  const phases = new Set<string>()
  const start = async (path: string) => {
    const engine = new LlamaEngine({
      ...{ model: path, modelsDirectory: directory, gpu: false, clock: new SystemClock() },
      onProgress: ({ phase }) => phases.add(phase),
    })
    t.teardown(async () => await engine.dispose())
    await engine.load()
  }
  // The disk holds next to nothing of them; to read them takes minutes.
  for (const [name, bytes, code] of [
    ['model', await readFile(TINY_MODEL_PATH), 'MEMORY_INSUFFICIENT'],
    ['text', Buffer.from('Lorem ipsum dolor sit amet'), 'MODEL_INVALID'],
  ] as const) {
    const path = join(directory, `${name}.gguf`)
    await writeFile(path, bytes)
    await truncate(path, 2 ** 38)
    await t.exception(start(path), { code })
  }
  t.absent(phases.has('verifying'))
})

test('should leave it to llama.cpp to refuse an unknown architecture and to name a missing tensor', async (t) => {
  const directory = await t.tmp()
  const path = join(directory, 'model.gguf')
  await writeFile(path, fileOf(renamedDraft('yet-unknown')))
  await t.exception(startWith(t, path), {
    code: 'MODEL_UNSUPPORTED',
    message: /unknown model architecture: 'yet-unknown'/,
  })
  const unknownWords = setKey(syntheticDraft(), 'tokenizer.ggml.model', text('yet-unknown'))
  await writeFile(path, fileOf(unknownWords))
  await t.exception(startWith(t, path), {
    code: 'MODEL_UNSUPPORTED',
    message: /unknown tokenizer/,
  })
  // Of another architecture, and without a tensor.
  const incomplete = syntheticDraft()
  incomplete.tensors.pop()
  for (const draft of [renamedDraft('gemma2'), incomplete]) {
    await writeFile(path, fileOf(draft, { laidOut: true }))
    await t.exception(startWith(t, path), { code: 'MODEL_INVALID', message: /missing tensor/ })
  }
})

test('should fail with MODEL_NOT_FOUND when there is no such model', async (t) => {
  await t.exception(startWith(t, join(await t.tmp(), 'missing.gguf')), { code: 'MODEL_NOT_FOUND' })
})

/** Remembers for how long it was slept. */
class SleepRecorder extends SystemClock {
  readonly slept: number[] = []

  override async sleep(delayMs: number): Promise<void> {
    this.slept.push(delayMs)
  }
}

/** The pause before the third start of an engine that cannot start, in milliseconds. */
async function pauseOf(t: Test, random: Random): Promise<number | undefined> {
  const clock = new SleepRecorder()
  const engine = standInLlama(t, { clock, random, availableMemoryBytes: () => 0 })
  for (let start = 0; start < 3; start += 1) {
    await t.exception(engine.load(), { code: 'MEMORY_INSUFFICIENT' })
  }
  t.is(clock.slept.length, 1)
  return clock.slept[0]
}

test('should not restart at the same time as other engines that failed together', async (t) => {
  const [one, other] = await Promise.all([
    pauseOf(t, new SeededRandom(1)),
    pauseOf(t, new SeededRandom(2 ** 31)),
  ])
  t.not(one, other)
})
