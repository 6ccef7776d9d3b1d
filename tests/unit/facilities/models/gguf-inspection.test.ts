import { execFile } from 'node:child_process'
import { open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type Test } from 'brittle'
import { GgufInspector, inspectGguf } from '../../../../facilities/models/gguf-inspection.js'
import type { ModelProgress } from '../../../../facilities/models/model-progress.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { u32, u64 } from '../../../helpers/gguf/gguf-draft.js'
import { fileOf, setKey, syntheticDraft, tensorOf, text } from '../../../helpers/gguf/gguf-scene.js'
import { syntheticGguf } from '../../../helpers/gguf/synthetic-gguf.js'

async function written(t: Test, bytes: Uint8Array): Promise<string> {
  const path = join(await t.tmp(), 'model.gguf')
  await writeFile(path, bytes)
  return path
}

test('should say what a model is and how large when its file is whole', async (t) => {
  const file = syntheticGguf('qwen2')
  const { facts, sizeBytes } = await inspectGguf(await written(t, file))
  t.is(facts.architecture, 'qwen2')
  t.is(facts.layers, 2)
  t.is(sizeBytes, file.length)
})

test('should continue to read when a header is longer than the first read', async (t) => {
  const draft = setKey(syntheticDraft(), 'general.description', text('x'.repeat(5_000_000)))
  const { facts } = await inspectGguf(await written(t, fileOf(draft)))
  t.ok(facts.hasChatTemplate)
})

test('should report progress when a header is longer than the first read', async (t) => {
  const told: ModelProgress[] = []
  const onProgress = (progress: ModelProgress) => told.push(progress)
  await inspectGguf(await written(t, syntheticGguf('llama')), { onProgress })
  t.alike(told, [], 'a small one is read at once')
  const draft = setKey(syntheticDraft(), 'general.description', text('x'.repeat(20_000_000)))
  await inspectGguf(await written(t, fileOf(draft)), { onProgress })
  t.ok(told.length >= 5 && told.every(({ phase }) => phase === 'inspecting'))
})

test('should not read the header of an unchanged file again', async (t) => {
  const path = await written(t, syntheticGguf('qwen2'))
  const inspector = new GgufInspector()
  const first = await inspector.inspect(path)
  t.is(await inspector.inspect(path), first)
  await writeFile(path, syntheticGguf('llama'))
  t.is((await inspector.inspect(path)).facts.architecture, 'llama')
  t.is(
    (await inspector.inspect(await written(t, syntheticGguf('bert')))).facts.architecture,
    'bert',
  )
})

test('should throw MODEL_INVALID when the file is not read within 30 s', async (t) => {
  const clock = new VirtualClock()
  // A pipe that nobody writes to: it cannot even be opened.
  const path = join(await t.tmp(), 'pipe.gguf')
  await promisify(execFile)('mkfifo', [path])
  const inspecting = t.exception(inspectGguf(path, { clock }), {
    code: 'MODEL_INVALID',
    message: /its header was not read within 30 s/,
  })
  await clock.advance(30_000)
  await inspecting
  // Lets the system's thread go that still waits.
  await (await open(path, 'r+')).close()
})

test('should read in proportion to the header when that has very many small parts', async (t) => {
  const draft = syntheticDraft('qwen2')
  const merges = Buffer.alloc(11 * 200_000, Buffer.concat([u64(3n), Buffer.from('a b')]))
  const bytes = Buffer.concat([u32(8), u64(200_000n), merges])
  setKey(draft, 'tokenizer.ggml.merges', { code: 9, bytes })
  // Whoever read on by one of them each time would not be back in time.
  const { facts } = await inspectGguf(await written(t, fileOf(draft)))
  t.is(facts.architecture, 'qwen2')
})

test('should read no more than the header when a file is huge', async (t) => {
  const draft = syntheticDraft()
  // 48 GB, of which the disk holds nothing.
  const norm = tensorOf(draft, 'output_norm.weight')
  norm.dimensions = [3n << 33n]
  norm.type = 1
  const path = await written(t, fileOf(draft))
  await truncate(path, 2 ** 37)
  // Only the type is wrong. Reading the whole file would take longer than the test may.
  await t.exception(inspectGguf(path), {
    code: 'MODEL_INVALID',
    message: /output_norm\.weight.*F16/,
  })
})

test('should begin with the path as it was given when a file is refused', async (t) => {
  const cases: readonly (readonly [string, Uint8Array, string])[] = [
    ['MODEL_INVALID', Buffer.from('Lorem ipsum dolor sit amet'), 'not a GGUF file'],
    ['MODEL_INVALID', Buffer.alloc(0), 'not a GGUF file'],
    ['MODEL_INVALID', syntheticGguf('llama').subarray(0, 3_000), 'cut off'],
    [
      'MODEL_UNSUPPORTED',
      fileOf(setKey(syntheticDraft(), 'general.architecture', text('clip'))),
      'clip',
    ],
  ]
  for (const [code, bytes, said] of cases) {
    const path = await written(t, bytes)
    try {
      await inspectGguf(path)
      t.fail('it is accepted')
    } catch (error) {
      t.is(Object(error).code, code)
      t.ok(Object(error).message.startsWith(`${path}: the model file`), Object(error).message)
      t.ok(Object(error).message.includes(said), Object(error).message)
    }
  }
})

test('should throw MODEL_INVALID when there is no file to be read', async (t) => {
  const folder = await t.tmp()
  await t.exception(inspectGguf(folder), { code: 'MODEL_INVALID', message: /cannot be read/ })
  const path = join(folder, 'missing.gguf')
  await t.exception(inspectGguf(path), { code: 'MODEL_INVALID', message: /cannot be read/ })
})
