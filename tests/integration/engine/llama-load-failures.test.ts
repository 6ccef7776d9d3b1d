import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import type { Random } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../../facilities/engine/llama-engine.js'
import { SeededRandom } from '../../helpers/seeded-random.js'
import { processIdOf, SHARED_MODELS_DIRECTORY, TINY_MODEL_PATH } from '../../helpers/tiny-llama.js'

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

test('should fail with MODEL_INVALID when the file is no GGUF file', async (t) => {
  const path = join(await t.tmp(), 'not.gguf')
  await writeFile(path, 'Lorem ipsum dolor sit amet')
  await t.exception(startWith(t, path), { code: 'MODEL_INVALID' })
})

test('should fail with MODEL_INVALID when the file is cut off', async (t) => {
  const whole = await readFile(TINY_MODEL_PATH)
  const directory = await t.tmp()
  for (const sizeBytes of [2_000, 1_000_000]) {
    const path = join(directory, `${sizeBytes}.gguf`)
    await writeFile(path, whole.subarray(0, sizeBytes))
    await t.exception(startWith(t, path), { code: 'MODEL_INVALID' })
  }
})

test('should fail with MODEL_INVALID when loading the file aborts the process', async (t) => {
  const engine = new LlamaEngine({
    model: TINY_MODEL_PATH,
    modelsDirectory: SHARED_MODELS_DIRECTORY,
    clock: new SystemClock(),
    gpu: false,
  })
  t.teardown(async () => await engine.dispose())
  // As llama.cpp does with a file that it cannot understand, and nobody has found out before.
  const reserve = async () => void process.kill(processIdOf(engine), 'SIGABRT')
  await t.exception(engine.load({ reserve }), {
    code: 'MODEL_INVALID',
    message: "Loading the model ended the engine's process (SIGABRT)",
  })
  t.is(engine.processId, null)
})

test('should name what is missing before llama.cpp ends at it', async (t) => {
  // A key that llama.cpp cannot do without, renamed.
  const path = join(await t.tmp(), 'aborts.gguf')
  const bytes = await readFile(TINY_MODEL_PATH)
  const key = bytes.indexOf('llama.attention.head_count')
  t.ok(key > 0)
  bytes.write('llama.attention.head_cound', key)
  await writeFile(path, bytes)
  await t.exception(startWith(t, path), {
    code: 'MODEL_INVALID',
    message: `${path}: the model file has no "llama.attention.head_count", which llama.cpp needs`,
  })
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
  const model = join(await t.tmp(), 'missing.gguf')
  const engine = new LlamaEngine({ model, modelsDirectory: await t.tmp(), clock, random })
  t.teardown(async () => await engine.dispose())
  for (let start = 0; start < 3; start += 1) {
    await t.exception(engine.load(), { code: 'MODEL_NOT_FOUND' })
  }
  t.is(clock.slept.length, 1)
  return clock.slept[0]
}

test('should not start again together with other engines that failed together', async (t) => {
  const [one, other] = await Promise.all([
    pauseOf(t, new SeededRandom(1)),
    pauseOf(t, new SeededRandom(2 ** 31)),
  ])
  t.not(one, other)
})
