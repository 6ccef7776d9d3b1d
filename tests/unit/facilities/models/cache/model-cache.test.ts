import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../../facilities/clock/random.js'
import { ModelCache } from '../../../../../facilities/models/cache/model-cache.js'
import type { ModelProgress } from '../../../../../facilities/models/model-progress.js'
import type { CatalogModel } from '../../../../../facilities/models/sources/catalog.js'

const SOURCES = { 'config.json': '{"size": 1}', 'onnx/weights.onnx': 'the weights of the model' }
/** More than one piece when it is written. */
const RESULT = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(5 * 1024 * 1024, 7)])

function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

const MODEL: CatalogModel = {
  name: 'tiny',
  kind: 'chat',
  licence: 'Apache-2.0',
  quantization: 'Q8_0',
  contextTokens: 128,
  source: { packageName: 'tiny-onnx', version: '1.2.3' },
  files: Object.entries(SOURCES).map(([path, text]) => ({
    path,
    sizeBytes: text.length,
    sha256: sha256(text),
  })),
  converter: 'stand-in',
  gguf: { sizeBytes: RESULT.length, sha256: sha256(RESULT) },
}

interface House {
  readonly cache: ModelCache
  readonly directory: string
  readonly packageFolder: string
  readonly conversions: ReadonlyMap<string, Uint8Array>[]
  readonly progress: ModelProgress[]
  readonly onProgress: (progress: ModelProgress) => void
}

interface HouseOptions {
  readonly model?: CatalogModel
  readonly directory?: string
  readonly result?: Uint8Array
  readonly installed?: boolean
}

/** A cache with a model of its own, whose package lies in a temporary folder. */
async function house(t: Test, options: HouseOptions = {}): Promise<House> {
  const root = await t.tmp()
  const packageFolder = join(root, 'package')
  for (const [path, text] of Object.entries(SOURCES)) {
    await mkdir(dirname(join(packageFolder, path)), { recursive: true })
    await writeFile(join(packageFolder, path), text)
  }
  const directory = options.directory ?? join(root, 'home', 'models')
  const conversions: ReadonlyMap<string, Uint8Array>[] = []
  const progress: ModelProgress[] = []
  const cache = new ModelCache({
    directory,
    random: new SystemRandom(),
    catalog: [options.model ?? MODEL],
    converters: new Map([
      [
        'stand-in',
        (files) => {
          conversions.push(files)
          return options.result ?? RESULT
        },
      ],
    ]),
    packageFolder: (name) => {
      if (options.installed === false) throw new Error(`Cannot find module '${name}'`)
      return packageFolder
    },
  })
  return {
    cache,
    directory,
    packageFolder,
    conversions,
    progress,
    onProgress: (event) => progress.push(event),
  }
}

test('should convert a known model once when it is prepared twice', async (t) => {
  const { cache, conversions, directory } = await house(t)
  const before = await cache.locate('tiny')
  t.ok(before.needsPreparing)
  const first = await cache.prepare('tiny')
  const facts = { source: 'npm:tiny-onnx@1.2.3', kind: 'chat', licence: 'Apache-2.0' } as const
  t.alike(first, { name: 'tiny', path: before.path, ...MODEL.gguf, ...facts })
  t.alike(before, {
    name: 'tiny',
    path: first.path,
    sha256: first.sha256,
    needsPreparing: true,
    isKept: true,
    ...facts,
  })
  t.is(dirname(first.path), directory)
  t.ok(RESULT.equals(await readFile(first.path)))
  t.absent((await cache.locate('tiny')).needsPreparing)
  t.alike(await cache.prepare('tiny'), first)
  t.is(conversions.length, 1)
  t.is(conversions[0]?.get('onnx/weights.onnx')?.toString(), SOURCES['onnx/weights.onnx'])
})

test('should report rising fractions of each phase when a model is prepared', async (t) => {
  const { cache, progress, onProgress } = await house(t)
  await cache.prepare('tiny', { onProgress })
  t.alike(
    progress.map(({ phase }) => phase).filter((phase, index, all) => phase !== all[index - 1]),
    ['verifying', 'converting', 'writing', 'ready'],
  )
  for (const phase of ['verifying', 'converting', 'writing', 'ready'] as const) {
    const fractions = progress
      .filter((event) => event.phase === phase)
      .map((event) => event.fraction)
    t.alike(fractions, [...fractions].sort())
    t.is(fractions.at(-1), 1)
  }
})

test('should make the file again and say so when the prepared one is damaged', async (t) => {
  const { cache, conversions, progress, onProgress } = await house(t)
  const { path } = await cache.prepare('tiny')
  const flipped = Buffer.from(RESULT)
  flipped[1000] = 8
  for (const damaged of [flipped, RESULT.subarray(0, 1000), Buffer.alloc(0)]) {
    await writeFile(path, damaged)
    progress.length = 0
    await cache.prepare('tiny', { onProgress })
    t.ok(RESULT.equals(await readFile(path)))
    t.is(progress.filter((event) => event.note?.includes('prepared again')).length, 1)
  }
  t.is(conversions.length, 4)
})

test('should throw MODEL_INVALID and keep nothing when a source file is not the right one', async (t) => {
  const { cache, conversions, directory, packageFolder } = await house(t)
  const path = join(packageFolder, 'onnx', 'weights.onnx')
  const text = SOURCES['onnx/weights.onnx']
  for (const wrong of [text.slice(0, -1), text.replace('weights', 'Weights'), '']) {
    await writeFile(path, wrong)
    await t.exception(cache.prepare('tiny'), { code: 'MODEL_INVALID' })
  }
  await t.exception(cache.prepare('tiny'), /onnx\/weights\.onnx.*has 0 bytes instead of 24/)
  t.is(conversions.length, 0)
  t.alike(await readdir(directory), [])
})

test('should name the package and its version when a source file is missing', async (t) => {
  const { cache } = await house(t, {
    model: { ...MODEL, files: [{ path: 'gone.json', sizeBytes: 1, sha256: sha256('x') }] },
  })
  await t.exception(cache.prepare('tiny'), /tiny-onnx@1\.2\.3/)
  await t.exception(cache.prepare('tiny'), { code: 'MODEL_INVALID' })
})

test('should throw MODEL_INVALID and keep nothing when the result is not the right one', async (t) => {
  const { cache, directory } = await house(t, { result: Buffer.from('GGUF but another') })
  await t.exception(cache.prepare('tiny'), { code: 'MODEL_INVALID' })
  t.alike(await readdir(directory), [])
})

test('should throw MODEL_INVALID when the catalogue names no known conversion', async (t) => {
  const { cache } = await house(t, { model: { ...MODEL, converter: 'unheard-of' } })
  await t.exception(cache.prepare('tiny'), { code: 'MODEL_INVALID' })
})

test('should say what to install when the package of a model is missing', async (t) => {
  const { cache } = await house(t, { installed: false })
  await t.exception(cache.prepare('tiny'), { code: 'MODEL_NOT_FOUND' })
  await t.exception(cache.prepare('tiny'), /tiny-onnx@1\.2\.3.*npm install/)
})

test('should hold a known model against the hash of the reference', async (t) => {
  const { cache, conversions } = await house(t)
  const right = `tiny#sha256=${MODEL.gguf.sha256}`
  t.is((await cache.prepare(right)).sha256, MODEL.gguf.sha256)
  const wrong = `tiny#sha256=${sha256('other')}`
  await t.exception(cache.locate(wrong), { code: 'MODEL_INVALID' })
  await t.exception(cache.prepare(wrong), { code: 'MODEL_INVALID' })
  t.is(conversions.length, 1)
})

test('should list the known names when a model is unknown', async (t) => {
  const { cache } = await house(t)
  await t.exception(cache.locate('huge'), { code: 'MODEL_NOT_FOUND' })
  await t.exception(cache.prepare('huge'), /"huge".*tiny/)
})

test('should throw MODEL_WRITE_FAILED when the directory cannot be made', async (t) => {
  const inTheWay = join(await t.tmp(), 'file')
  await writeFile(inTheWay, '')
  const { cache } = await house(t, { directory: join(inTheWay, 'models') })
  await t.exception(cache.prepare('tiny'), { code: 'MODEL_WRITE_FAILED' })
})

test('should leave no partial file when writing fails in the end', async (t) => {
  const { cache, directory } = await house(t)
  // A folder under the final name: the rename is what fails.
  const { path } = await cache.locate('tiny')
  await mkdir(join(path, 'in the way'), { recursive: true })
  await t.exception(cache.prepare('tiny'), { code: 'MODEL_WRITE_FAILED' })
  t.is((await readdir(directory)).length, 1)
})

test('should leave one complete file when several processes prepare it at once', async (t) => {
  const { cache, conversions, directory } = await house(t)
  await Promise.all(Array.from({ length: 4 }, () => cache.prepare('tiny')))
  const names = await readdir(directory)
  const [name = '', ...others] = names.sort()
  t.alike(others, [`${name}.json`], 'its manifest, and no lock')
  t.ok(RESULT.equals(await readFile(join(directory, name))))
  t.is(conversions.length, 1, 'the others waited')
})

test('should throw CANCELLED and keep nothing when the signal is aborted', async (t) => {
  for (const phase of ['verifying', 'converting', 'writing']) {
    const { cache, conversions, directory } = await house(t)
    const controller = new AbortController()
    const onProgress = (progress: ModelProgress) => {
      if (progress.phase === phase) controller.abort()
    }
    const preparing = cache.prepare('tiny', { onProgress, signal: controller.signal })
    await t.exception(preparing, { code: 'CANCELLED' })
    t.ok((await cache.locate('tiny')).needsPreparing)
    t.is(conversions.length, phase === 'verifying' ? 0 : 1)
    if (phase === 'writing') t.alike(await readdir(directory), [])
  }
})

test('should not begin to convert when the signal is aborted with the last source file', async (t) => {
  const { cache, conversions } = await house(t)
  const controller = new AbortController()
  const onProgress = ({ phase, fraction }: ModelProgress) => {
    if (phase === 'verifying' && fraction === 1) controller.abort()
  }
  const preparing = cache.prepare('tiny', { onProgress, signal: controller.signal })
  await t.exception(preparing, { code: 'CANCELLED' })
  t.is(conversions.length, 0)
})

test('should throw CANCELLED when the signal is aborted while a file is hashed', async (t) => {
  const { cache } = await house(t)
  const path = join(await t.tmp(), 'large.gguf')
  await writeFile(path, RESULT)
  const controller = new AbortController()
  const preparing = cache.prepare(path, {
    onProgress: () => controller.abort(),
    signal: controller.signal,
  })
  await t.exception(preparing, { code: 'CANCELLED' })
})

test('should remove what a crash left but not what another writes when a file is written', async (t) => {
  const { cache, directory } = await house(t)
  await mkdir(directory, { recursive: true })
  for (const name of ['.tiny.gguf.old.draft', '.tiny.gguf.new.draft', 'other.gguf']) {
    await writeFile(join(directory, name), 'half')
  }
  for (const name of ['.tiny.gguf.old.draft', 'other.gguf']) {
    await utimes(join(directory, name), 1_000_000_000, 1_000_000_000)
  }
  await cache.prepare('tiny')
  const names = await readdir(directory)
  t.absent(names.includes('.tiny.gguf.old.draft'))
  t.ok(names.includes('.tiny.gguf.new.draft'))
  t.ok(names.includes('other.gguf'))
})

test('should hash a GGUF file in its place when it is given by path', async (t) => {
  const { cache, progress, onProgress } = await house(t)
  const path = join(await t.tmp(), 'my-model.gguf')
  await writeFile(path, RESULT)
  const location = { name: 'my-model', path, source: path }
  const unknown = { kind: null, licence: null }
  t.alike(await cache.locate(path), {
    ...location,
    needsPreparing: false,
    isKept: false,
    ...unknown,
  })
  const facts = { kind: 'chat', licence: null }
  t.alike(await cache.prepare(path, { onProgress }), { ...location, ...MODEL.gguf, ...facts })
  t.is(progress.at(-1)?.phase, 'ready')
})

test('should say what a path is when it is not a file', async (t) => {
  const { cache, directory } = await house(t)
  await mkdir(join(directory, 'folder.gguf'), { recursive: true })
  const cases = [
    [join(directory, 'none.gguf'), 'does not exist'],
    [join(directory, 'folder.gguf'), 'is a directory, not a GGUF file'],
    [`name=${directory}`, 'is a directory, not a GGUF file'],
    ['./none', 'does not exist'],
    ['/dev/null', 'is not a regular file'],
  ] as const
  for (const [reference, why] of cases) {
    const message = `The model ${reference.replace('name=', '')} ${why}`
    await t.exception(cache.locate(reference), { code: 'MODEL_NOT_FOUND', message })
    await t.exception(cache.prepare(reference), { code: 'MODEL_NOT_FOUND', message })
  }
})

test('should throw MODEL_INVALID when the file given by path is not a GGUF file', async (t) => {
  const { cache } = await house(t)
  const path = join(await t.tmp(), 'text.gguf')
  for (const text of ['hello there', 'GG', '']) {
    await writeFile(path, text)
    await t.exception(cache.prepare(path), { code: 'MODEL_INVALID' })
  }
})

test('should follow a link when a model is given by one', async (t) => {
  const { cache } = await house(t)
  const folder = await t.tmp()
  await writeFile(join(folder, 'blob'), RESULT)
  await symlink(join(folder, 'blob'), join(folder, 'linked.gguf'))
  t.is((await cache.prepare(join(folder, 'linked.gguf'))).sha256, MODEL.gguf.sha256)
})
