import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import { LlamaEngine } from '../../../facilities/engine/llama-engine.js'
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
