import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../../facilities/clock/random.js'
import {
  ModelCache,
  type ModelCacheOptions,
} from '../../../../../facilities/models/cache/model-cache.js'
import type { ModelProgress } from '../../../../../facilities/models/model-progress.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import { TINY_MODEL_PATH } from '../../../../helpers/engine/tiny-llama.js'
import { CONTENT, OTHER_CONTENT, sha256 } from '../../../../helpers/models/download-scene.js'
import {
  type Answering,
  ScriptedFetch,
  serving,
  status,
} from '../../../../helpers/models/scripted-fetch.js'
import { until } from '../../../../helpers/until.js'

const ADDRESS = 'https://example.com/models/x.gguf?signature=secret'
const SHOWN_ADDRESS = 'https://example.com/models/x.gguf?…'
const served = serving({ content: CONTENT, headers: { etag: '"one"' } })

interface Scene {
  readonly directory: string
  readonly server: ScriptedFetch
  readonly cache: ModelCache
  readonly progress: ModelProgress[]
  readonly prepare: (reference: string) => ReturnType<ModelCache['prepare']>
}

/** An empty cache, or that of another scene, with a server that answers so. */
async function scene(
  t: Test,
  answers: readonly Answering[],
  options: Partial<ModelCacheOptions> = {},
): Promise<Scene> {
  const directory = options.directory ?? join(await t.tmp(), 'models')
  const server = new ScriptedFetch(...answers)
  const cache = new ModelCache({
    random: new SystemRandom(),
    catalog: [],
    fetch: server.fetch,
    ...options,
    directory,
  })
  const progress: ModelProgress[] = []
  const onProgress = (event: ModelProgress) => progress.push(event)
  const prepare = (reference: string) => cache.prepare(reference, { onProgress })
  return { directory, server, cache, progress, prepare }
}

test('should need no network any more when a model was fetched once', async (t) => {
  const { cache, directory, prepare, progress } = await scene(t, [served])
  const before = await cache.locate(ADDRESS)
  t.ok(before.needsPreparing)
  t.is(before.source, SHOWN_ADDRESS)
  const first = await prepare(ADDRESS)
  t.alike(first, {
    name: 'x',
    path: before.path,
    sizeBytes: CONTENT.length,
    sha256: sha256(CONTENT),
    source: SHOWN_ADDRESS,
    kind: 'chat',
    licence: null,
  })
  t.alike([...new Set(progress.map(({ phase }) => phase))], ['fetching', 'ready'])
  const written = await stat(`${first.path}.json`)
  const offline = await scene(t, [], { directory })
  t.alike(await offline.prepare(ADDRESS), first)
  t.is((await stat(`${first.path}.json`)).ino, written.ino, 'the manifest is not written again')
  t.alike(await offline.prepare(`mine=${ADDRESS}`), { ...first, name: 'mine' })
  t.absent((await offline.cache.locate(ADDRESS)).needsPreparing)
  t.is(offline.server.requests.length, 0)
  const manifest = await readFile(`${first.path}.json`, 'utf8')
  t.absent(manifest.includes('secret'))
})

test('should ask the hub that it is given, with the token, when a model is asked for by hf:', async (t) => {
  const options = { hubUrl: 'https://hub.example/', hubToken: 'hf_secret' }
  const { server, prepare } = await scene(t, [served], options)
  const { name, source } = await prepare('hf:owner/repo@v1/deep/x.gguf')
  t.alike([name, source], ['x', 'hf:owner/repo@v1/deep/x.gguf'])
  t.is(server.requests[0]?.url, 'https://hub.example/owner/repo/resolve/v1/deep/x.gguf')
  t.is(server.requests[0]?.headers.authorization, 'Bearer hf_secret')
})

test('should say what the file itself says when a model is fetched', async (t) => {
  const content = await readFile(TINY_MODEL_PATH)
  const { cache, prepare } = await scene(t, [serving({ content })])
  const { path } = await prepare('https://example.com/tiny.gguf')
  const expected = ['chat', 'F16', 256, content.length]
  const facts = async () => {
    const [listed] = await cache.list()
    return [listed?.kind, listed?.quantization, listed?.contextTokens, listed?.sizeBytes]
  }
  t.alike(await facts(), expected)
  const manifest = await readFile(`${path}.json`, 'utf8')
  await writeFile(`${path}.json`, manifest.replace('"contextTokens": 256', '"contextTokens": null'))
  await prepare('https://example.com/tiny.gguf')
  t.alike(await facts(), expected, 'what was not understood before is asked again')
})

test('should fetch a damaged file again and say so, and leave it when it cannot', async (t) => {
  const { directory, prepare } = await scene(t, [served])
  const { path } = await prepare(ADDRESS)
  await writeFile(path, Buffer.concat([CONTENT.subarray(0, -1), Buffer.from('?')]))
  const offline = await scene(t, [status(404)], { directory })
  await t.exception(offline.prepare(ADDRESS), { code: 'MODEL_NOT_FOUND' })
  t.is((await readFile(path)).length, CONTENT.length)
  const online = await scene(t, [served], { directory })
  await online.prepare(ADDRESS)
  t.ok(CONTENT.equals(await readFile(path)))
  t.is(online.progress.filter(({ note }) => note?.includes('prepared again')).length, 1)
})

test('should find out again what a damaged manifest said', async (t) => {
  const { directory, prepare } = await scene(t, [served])
  const { path } = await prepare(ADDRESS)
  const manifest = await readFile(`${path}.json`, 'utf8')
  const damages = ['', '{"version": 1', '[]', manifest.replace('"version": 1', '"version": 9')]
  for (const damaged of [...damages, manifest + ' '.repeat(70_000)]) {
    await writeFile(`${path}.json`, damaged)
    const offline = await scene(t, [], { directory })
    t.is((await offline.prepare(ADDRESS)).sha256, sha256(CONTENT))
    const again = await readFile(`${path}.json`, 'utf8')
    t.ok(again.length < 1000 && JSON.parse(again).sha256 === sha256(CONTENT))
  }
})

test('should continue without a manifest and say so when it cannot be written', async (t) => {
  const { cache, prepare, progress } = await scene(t, [served])
  const { path } = await cache.locate(ADDRESS)
  await mkdir(join(`${path}.json`, 'in the way'), { recursive: true })
  t.is((await prepare(ADDRESS)).sha256, sha256(CONTENT))
  t.ok(progress.some(({ note }) => note?.includes('cannot be written')))
})

test('should hold a file against the hash of the reference', async (t) => {
  const { directory, prepare } = await scene(t, [served])
  const { path } = await prepare(`${ADDRESS}#sha256=${sha256(CONTENT)}`)
  t.is((await prepare(ADDRESS)).path, path, 'it is the same file')
  const other = await scene(t, [served], { directory })
  const pinned = `${ADDRESS}#sha256=${sha256(OTHER_CONTENT)}`
  await t.exception(other.prepare(pinned), { code: 'MODEL_INVALID' })
  t.ok(CONTENT.equals(await readFile(path)), 'what was there stays')
  const replaced = await scene(t, [serving({ content: OTHER_CONTENT })], { directory })
  t.is((await replaced.prepare(pinned)).sha256, sha256(OTHER_CONTENT))
})

test('should hold a file of this machine against the hash of the reference', async (t) => {
  const { cache, directory, prepare } = await scene(t, [])
  const path = join(await t.tmp(), 'mine.gguf')
  await writeFile(path, CONTENT)
  const right = `${path}#sha256=${sha256(CONTENT)}`
  t.is((await cache.locate(right)).sha256, sha256(CONTENT))
  t.is((await prepare(`own=${right}`)).name, 'own')
  await t.exception(readdir(directory), { code: 'ENOENT' }, 'a small one leaves nothing')
  const wrong = prepare(`${path}#sha256=${sha256(OTHER_CONTENT)}`)
  await t.exception(wrong, { code: 'MODEL_INVALID' })
  t.ok(CONTENT.equals(await readFile(path)))
})

test('should hash a large file of this machine once, and write nothing beside it', async (t) => {
  const { directory, prepare, progress } = await scene(t, [], { alwaysHashedBytes: 100 })
  const folder = await t.tmp()
  const path = join(folder, 'mine.gguf')
  await writeFile(path, CONTENT)
  const first = await prepare(path)
  t.ok(progress.some(({ phase }) => phase === 'verifying'))
  progress.length = 0
  t.alike(await prepare(path), first)
  t.alike(
    progress.map(({ phase }) => phase),
    ['ready'],
  )
  t.alike(await readdir(folder), ['mine.gguf'])
  t.is((await readdir(directory)).length, 1)
  await writeFile(path, OTHER_CONTENT)
  t.is((await prepare(path)).sha256, sha256(OTHER_CONTENT))
  t.alike(await (await scene(t, [], { directory })).cache.list(), [])
})

test('should use a file of an installed package in place', async (t) => {
  const packageFolder = await t.tmp()
  await mkdir(join(packageFolder, 'dist'))
  await writeFile(join(packageFolder, 'dist', 'x.gguf'), CONTENT)
  await writeFile(join(packageFolder, 'package.json'), '{"version": "1.2.3"}')
  const options = { packageFolder: () => packageFolder }
  const { cache, prepare } = await scene(t, [], options)
  const model = await prepare('npm:models@1.2.3/dist/x.gguf')
  t.is(model.path, join(packageFolder, 'dist', 'x.gguf'))
  t.is(model.source, 'npm:models@1.2.3/dist/x.gguf')
  await t.exception(cache.locate('npm:models@1.2.4/dist/x.gguf'), { code: 'MODEL_INVALID' })
  await t.exception(cache.locate('npm:models@1.2.3/y.gguf'), { code: 'MODEL_NOT_FOUND' })
  await writeFile(join(packageFolder, 'package.json'), '{')
  await t.exception(prepare('npm:models@1.2.3/dist/x.gguf'), { code: 'MODEL_INVALID' })
  const none = (await scene(t, [])).prepare('npm:starling-no-such-package@1.0.0/x.gguf')
  await t.exception(none, { code: 'MODEL_NOT_FOUND' })
  await t.exception(none, /starling-no-such-package@1\.0\.0, which is not installed/)
})

test('should refuse an invalid reference before anything else', async (t) => {
  const { cache, prepare } = await scene(t, [])
  for (const reference of ['', 'http://example.com/x.gguf', 'hf:owner']) {
    await t.exception(cache.locate(reference), { code: 'CONFIG_INVALID' })
    await t.exception(prepare(reference), { code: 'CONFIG_INVALID' })
  }
})

test('should wait and say so while another process fetches the same model', async (t) => {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const slow: Answering = async (request) => {
    await held
    return await served(request)
  }
  const clock = new VirtualClock()
  const first = await scene(t, [slow])
  const second = await scene(t, [], { directory: first.directory, clock })
  const fetching = first.prepare(ADDRESS)
  await until('the first to fetch it', () => first.server.requests.length === 1)
  const waiting = second.cache.prepare(ADDRESS, {
    onProgress: (event) => {
      second.progress.push(event)
      if (event.phase === 'waiting') release()
    },
  })
  t.alike(await clock.advanceUntil(waiting), await fetching)
  t.alike(
    second.progress.map(({ phase }) => phase),
    ['waiting', 'verifying', 'ready'],
  )
  t.ok(second.progress[0]?.note?.includes('another process is preparing x'))
  t.is(second.server.requests.length, 0)
})

test('should throw CANCELLED when the signal is aborted while another prepares the model', async (t) => {
  const controller = new AbortController()
  const first = await scene(t, [() => new Promise<Response>(() => undefined)])
  const ending = new AbortController()
  const holding = first.cache.prepare(ADDRESS, { signal: ending.signal })
  await until('the first to fetch it', () => first.server.requests.length === 1)
  const second = await scene(t, [], { directory: first.directory })
  const waiting = second.cache.prepare(ADDRESS, {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  })
  await t.exception(waiting, { code: 'CANCELLED' })
  ending.abort()
  await t.exception(holding, { code: 'CANCELLED' })
  t.alike(await readdir(first.directory), [], 'nothing was fetched, and no lock is left')
})

test('should list what is in the catalogue and in the cache, whether it is there or not', async (t) => {
  const catalog = [
    {
      name: 'tiny',
      kind: 'embedding' as const,
      licence: 'MIT',
      quantization: 'F16',
      contextTokens: 64,
      source: { packageName: 'tiny', version: '1.0.0' },
      files: [],
      converter: 'stand-in',
      gguf: { sizeBytes: CONTENT.length, sha256: sha256(CONTENT) },
    },
  ]
  const converters = new Map([['stand-in', () => CONTENT]])
  const packageFolder = () => '/'
  const { cache, prepare } = await scene(t, [served], { catalog, converters, packageFolder })
  const tiny = {
    ...{ name: 'tiny', kind: 'embedding', licence: 'MIT', quantization: 'F16', contextTokens: 64 },
    source: 'npm:tiny@1.0.0',
    sizeBytes: CONTENT.length,
    sha256: sha256(CONTENT),
  }
  t.alike(await cache.list(), [{ ...tiny, present: false, presentBytes: 0 }] as object[])
  await prepare('tiny')
  const { path } = await prepare(`z=${ADDRESS}`)
  const unknown = { licence: null, quantization: null, contextTokens: null }
  const fetched = { name: 'z', kind: 'chat', ...unknown, source: SHOWN_ADDRESS }
  const whole = { sizeBytes: CONTENT.length, sha256: sha256(CONTENT) }
  const present = { present: true, presentBytes: CONTENT.length }
  t.alike(await cache.list(), [
    { ...tiny, ...present },
    { ...fetched, ...whole, ...present },
  ] as object[])
  await writeFile(path, '')
  const listed = await cache.list()
  t.alike(listed[1], { ...fetched, ...whole, present: false, presentBytes: 0 } as object)
})

test('should list a model of which a part was fetched', async (t) => {
  const broken = serving({ content: CONTENT, headers: { etag: '"a"' }, breaksAfter: 4_000 })
  const clock = new VirtualClock()
  const { cache } = await scene(t, [broken, status(404)], { clock })
  const running = clock.advanceUntil(cache.prepare('hf:o/r/x.gguf'))
  await t.exception(running, { code: 'MODEL_NOT_FOUND' })
  t.alike(await cache.list(), [
    {
      ...{ name: 'x', kind: null, licence: null, quantization: null, contextTokens: null },
      ...{ source: 'hf:o/r/x.gguf', sizeBytes: CONTENT.length, sha256: null },
      ...{ present: false, presentBytes: 4_000 },
    },
  ])
})
