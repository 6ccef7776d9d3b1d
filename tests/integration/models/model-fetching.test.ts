import { createHash } from 'node:crypto'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../facilities/clock/random.js'
import { ModelCache, type ModelCacheOptions } from '../../../facilities/models/cache/model-cache.js'
import type { ModelProgress } from '../../../facilities/models/model-progress.js'
import { HastyClock } from '../../helpers/clock/hasty-clock.js'
import { ModelServerClient } from '../../helpers/models/model-server.js'
import { freeTcpPort } from '../../helpers/network/tcp-port.js'
import { PreparingProcess } from '../../helpers/processes/preparing-process.js'
import { until } from '../../helpers/until.js'

/** Some megabytes of noise behind the mark of a GGUF file: more than any buffer on the way holds. */
const CONTENT = Buffer.concat([Buffer.from('GGUF'), noise(3_000_000, 1)])
const OTHER = Buffer.concat([Buffer.from('GGUF'), noise(3_000_000, 2)])
const HALF = 1_500_000

function noise(sizeBytes: number, seed: number): Buffer {
  const block = createHash('sha512').update(String(seed)).digest()
  return Buffer.alloc(sizeBytes, block)
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Waits until so many bytes of a model are in the folder. */
async function fetched(directory: string, sizeBytes: number): Promise<void> {
  const largest = () => {
    const names = existsSync(directory) ? readdirSync(directory) : []
    // A file may be renamed after it was listed.
    const sizeOf = (name: string) =>
      statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0
    return Math.max(0, ...names.map(sizeOf))
  }
  await until(`${sizeBytes} bytes`, () => largest() >= sizeBytes)
}

interface Scene {
  readonly server: ModelServerClient
  readonly directory: string
  readonly reference: string
  readonly progress: ModelProgress[]
  readonly prepare: (reference?: string) => ReturnType<ModelCache['prepare']>
}

async function scene(t: Test, options: Partial<ModelCacheOptions> = {}): Promise<Scene> {
  const server = await ModelServerClient.start(t, CONTENT)
  const directory = join(await t.tmp(), 'models')
  const progress: ModelProgress[] = []
  const cache = new ModelCache({
    directory,
    random: new SystemRandom(),
    clock: new HastyClock(),
    ...options,
  })
  const reference = `${server.origin}/x.gguf`
  const onProgress = (event: ModelProgress) => progress.push(event)
  const prepare = (asked = reference) => cache.prepare(asked, { onProgress })
  return { server, directory, reference, progress, prepare }
}

test('should fetch a model over HTTP and no longer need the server', async (t) => {
  const { server, prepare, progress, directory } = await scene(t)
  const model = await prepare()
  t.ok(CONTENT.equals(await readFile(model.path)))
  t.is(model.sha256, sha256(CONTENT))
  t.is(server.requests[0]?.headers['accept-encoding'], 'identity')
  t.is(server.requests[0]?.headers['user-agent'], 'starling')
  const fractions = progress.flatMap(({ phase, fraction }) =>
    phase === 'fetching' ? fraction : [],
  )
  t.is(fractions.at(-1), 1)
  server.set({ status: 500 })
  t.alike(await prepare(), model)
  t.is(server.requests.length, 1)
  t.is((await readdir(directory)).length, 2)
})

test('should fetch only the rest when the connection breaks off in the middle', async (t) => {
  const { server, prepare } = await scene(t)
  server.set({ breaksAfter: HALF })
  t.is((await prepare()).sha256, sha256(CONTENT))
  t.is(server.requests[0]?.start, 0)
  const second = server.requests[1]
  t.ok(second !== undefined && second.start > 0 && second.start <= HALF)
  t.is(second?.headers['if-range'], '"one"')
})

test('should say so when no server listens or it has no such file', async (t) => {
  const { server, prepare } = await scene(t)
  const nobody = prepare(`http://127.0.0.1:${await freeTcpPort()}/x.gguf`)
  await t.exception(nobody, { code: 'MODEL_UNREACHABLE' })
  await t.exception(nobody, /ECONNREFUSED/)
  server.set({ status: 404 })
  await t.exception(prepare(), { code: 'MODEL_NOT_FOUND' })
  t.is(server.requests.length, 1)
})

test('should follow a redirect of the hub and use the hash that it states', async (t) => {
  const hub = await ModelServerClient.start(t, Buffer.from('moved'))
  const { server, prepare } = await scene(t, { hubUrl: hub.origin, hubToken: 'hf_secret' })
  const headers = { 'x-linked-etag': `"${sha256(CONTENT)}"` }
  hub.set({ redirectTo: `${server.origin}/blob`, headers })
  const model = await prepare('hf:owner/repo/x.gguf')
  t.alike([model.name, model.sha256], ['x', sha256(CONTENT)])
  t.is(hub.requests[0]?.path, '/owner/repo/resolve/main/x.gguf')
  t.is(hub.requests[0]?.headers.authorization, 'Bearer hf_secret')
  t.absent(server.requests[0]?.headers.authorization)
  hub.set({ headers: { 'x-linked-etag': `"${sha256(OTHER)}"` } })
  await t.exception(prepare('hf:owner/other/x.gguf'), { code: 'MODEL_INVALID' })
})

test('should resume a fetch where a killed process left it', async (t) => {
  const { server, directory, reference, prepare } = await scene(t)
  const pinned = `${reference}#sha256=${sha256(CONTENT)}`
  server.set({ stallsAfter: HALF })
  const first = PreparingProcess.start(t, directory, pinned)
  await fetched(directory, HALF)
  await first.kill()
  t.ok(
    (await readdir(directory)).some((name) => name.endsWith('.lock')),
    'it left its lock',
  )
  server.set({ stallsAfter: Infinity })
  t.is((await prepare(pinned)).sha256, sha256(CONTENT))
  const [, second] = server.requests
  t.ok(second !== undefined && second.start > 1_000_000, `from ${second?.start}`)
  t.alike((await readdir(directory)).map((name) => name.replace(/^x-.{12}/, 'x')).sort(), [
    'x.gguf',
    'x.gguf.json',
  ])
})

test('should have one process fetch, and the other take over when the first is killed', async (t) => {
  const { server, directory, reference } = await scene(t)
  const pinned = `${reference}#sha256=${sha256(CONTENT)}`
  server.set({ stallsAfter: HALF })
  const first = PreparingProcess.start(t, directory, pinned)
  await fetched(directory, HALF)
  const second = PreparingProcess.start(t, directory, pinned)
  await second.says('that it waits', ({ phase }) => phase === 'waiting')
  t.is(server.requests.length, 1)
  server.set({ stallsAfter: Infinity })
  await first.kill()
  t.is((await second.prepared()).sha256, sha256(CONTENT))
  t.is(server.requests.length, 2)
  t.ok((server.requests[1]?.start ?? 0) > 1_000_000)
})

test('should fetch a model once when two processes want it', async (t) => {
  const { server, directory, reference } = await scene(t)
  const processes = [1, 2].map(() => PreparingProcess.start(t, directory, reference))
  const models = await Promise.all(processes.map((process) => process.prepared()))
  t.alike(models[0], models[1])
  t.is(models[0]?.sha256, sha256(CONTENT))
  t.is(server.requests.length, 1)
})
