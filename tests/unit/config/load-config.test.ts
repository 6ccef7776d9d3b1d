import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test, { type Test } from 'brittle'
import { loadConfig } from '../../../config/load-config.js'
import { configSchema } from '../../../config/schema.js'

const NOTHING = { environment: {}, flags: {} }

async function fileOf(t: Test, content: unknown): Promise<string> {
  const file = join(await t.tmp(), 'starling.json')
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

/** The message of the CONFIG_INVALID that loading fails with. */
function refusal(t: Test, sources: Parameters<typeof loadConfig>[0]): string {
  try {
    loadConfig(sources)
  } catch (error) {
    const { code, message } = Object(error)
    t.is(code, 'CONFIG_INVALID')
    return message
  }
  t.fail('it was accepted')
  return ''
}

test('should hold every default when nothing is set', (t) => {
  const config = loadConfig(NOTHING)
  t.is(config.home, resolve('./data'))
  t.is(config.logLevel, undefined)
  t.is(config.json, false)
  t.is(config.network.bootstrapPort, 28_737)
  t.is(config.network.heartbeatIntervalMs * config.network.heartbeatMissedLimit, 1_500)
  t.is(config.auth.sessionLifetimeMs, 12 * 60 * 60 * 1000)
  t.is(config.gateway.loadIntervalMs, 500)
  t.alike(config.gateway.rateLimit, { perMinute: 10, maxUsers: 100_000 })
  t.alike(config.processor, {
    findOllama: true,
    hubUrl: 'https://huggingface.co',
    ollama: {},
    openai: {},
    slots: 4,
    queueLength: 64,
    contextTokens: 4096,
    threads: 'auto',
    gpu: 'auto',
    gpuLayers: 'auto',
    maxStallMs: 50,
    allowRepetition: false,
    memoryMebibytes: 'auto',
  })
  t.is(config.client.waitMs, 15_000)
  t.is(config.mesh.processors, 1)
  t.alike(config.metrics, { port: 0, host: '127.0.0.1' })
})

test('should let a later source win when several set the same key', async (t) => {
  const slots = (value: number) => ({ processor: { slots: value } })
  const file = await fileOf(t, slots(5))
  const environment = { STARLING_PROCESSOR__SLOTS: '6' }
  t.is(loadConfig({ ...NOTHING, file }).processor.slots, 5)
  t.is(loadConfig({ file, environment, flags: {} }).processor.slots, 6)
  t.is(loadConfig({ file, environment, flags: slots(7) }).processor.slots, 7)
})

test('should keep the other keys of a section when a later source sets one', async (t) => {
  const { processor } = loadConfig({
    file: await fileOf(t, { processor: { models: ['file.gguf'], slots: 5, threads: 2 } }),
    environment: { STARLING_PROCESSOR__SLOTS: '6' },
    flags: { processor: { queueLength: 0 } },
  })
  t.alike(processor, {
    models: ['file.gguf'],
    findOllama: true,
    hubUrl: 'https://huggingface.co',
    ollama: {},
    openai: {},
    slots: 6,
    queueLength: 0,
    contextTokens: 4096,
    threads: 2,
    gpu: 'auto',
    gpuLayers: 'auto',
    maxStallMs: 50,
    allowRepetition: false,
    memoryMebibytes: 'auto',
  })
})

test('should keep what is below when a flag was not given', async (t) => {
  const config = loadConfig({
    file: await fileOf(t, { logLevel: 'warn', processor: { models: ['file.gguf'] } }),
    environment: {},
    flags: { logLevel: undefined, processor: { models: undefined } },
  })
  t.is(config.logLevel, 'warn')
  t.alike(config.processor.models, ['file.gguf'])
})

test('should read a variable as the key wants it when it looks like something else', (t) => {
  const environment = {
    STARLING_HOME: '2024',
    STARLING_PROCESSOR__MODELS: 'small, /models/7.gguf',
    STARLING_PROCESSOR__ENGINES: 'llama,ollama',
    STARLING_PROCESSOR__OPENAI__API_KEY: '12345',
    STARLING_PROCESSOR__SLOTS: '2',
  }
  const { home, processor } = loadConfig({ ...NOTHING, environment })
  t.is(home, resolve('2024'))
  t.alike(processor.models, ['small', '/models/7.gguf'])
  t.alike(processor.engines, ['llama', 'ollama'])
  t.is(processor.openai.apiKey, '12345')
  t.is(processor.slots, 2)
  t.ok(
    /expected/.test(
      refusal(t, {
        ...NOTHING,
        environment: { STARLING_PROCESSOR__MODELS: '', STARLING_PROCESSOR__OLLAMA: 'x' },
      }),
    ),
  )
})

test('should name the key and its source when unknown key', async (t) => {
  const file = await fileOf(t, { gateway: { loadIntervalMs: 20, loadIntervall: 1 } })
  const cases = [
    [{ ...NOTHING, file }, `gateway.loadIntervall, set by the file ${file}`],
    [
      { ...NOTHING, environment: { STARLING_GATEWAY__RATE_LIMIT__PER_HOUR: '1' } },
      'gateway.rateLimit.perHour, set by the environment (STARLING_GATEWAY__RATE_LIMIT__PER_HOUR)',
    ],
    [
      { ...NOTHING, environment: { STARLING_HOUSE: 'x' } },
      'house, set by the environment (STARLING_HOUSE)',
    ],
    [{ ...NOTHING, flags: { mesh: { gateways: 2 } } }, 'mesh.gateways, set by the command line'],
  ] as const
  for (const [sources, beginning] of cases) {
    t.is(refusal(t, sources), `${beginning}: unknown key`)
  }
})

test('should name the key and its source when a value has the wrong type', async (t) => {
  const file = await fileOf(t, { network: { bootstrapPort: '4000' }, processor: 3 })
  const message = refusal(t, { ...NOTHING, file })
  t.ok(message.startsWith(`network.bootstrapPort, set by the file ${file}: `), message)
  t.ok(/expected number/.test(message), message)
  const cases: [Parameters<typeof loadConfig>[0], string][] = [
    [{ ...NOTHING, file, flags: { network: { bootstrapPort: 1 } } }, `processor, set by the file`],
    [{ ...NOTHING, environment: { STARLING_JSON: '1' } }, 'json, set by the environment'],
    [
      { ...NOTHING, environment: { STARLING_PROCESSOR__THREADS: 'many' } },
      'processor.threads, set by the environment',
    ],
    [{ ...NOTHING, flags: { logLevel: 'loud' } }, 'logLevel, set by the command line'],
    [
      { ...NOTHING, flags: { processor: { engines: ['llama', 'x'] } } },
      'processor.engines.1, set by the command line',
    ],
  ]
  for (const [sources, beginning] of cases) {
    const refused = refusal(t, sources)
    t.ok(refused.startsWith(beginning), refused)
  }
})

test('should blame the last source when several set the wrong value', async (t) => {
  const file = await fileOf(t, { mesh: { processors: 2 } })
  const environment = { STARLING_MESH__PROCESSORS: '0' }
  t.ok(/set by the environment/.test(refusal(t, { file, environment, flags: {} })))
})

test('should refuse a value that is out of its bounds when one is set', (t) => {
  const outside: [string, string][] = [
    ['NETWORK__BOOTSTRAP_PORT', '0'],
    ['NETWORK__BOOTSTRAP_PORT', '65536'],
    ['NETWORK__HEARTBEAT_INTERVAL_MS', '9'],
    ['NETWORK__STREAM_WINDOW_CHUNKS', '4097'],
    ['AUTH__SESSION_LIFETIME_MS', '999'],
    ['PROCESSOR__SLOTS', '0'],
    ['PROCESSOR__SLOTS', '1.5'],
    ['PROCESSOR__QUEUE_LENGTH', '-1'],
    ['CLIENT__WAIT_MS', '-1'],
    ['MESH__PROCESSORS', '65'],
    ['GATEWAY__RATE_LIMIT__PER_MINUTE', '-1'],
    ['GATEWAY__RATE_LIMIT__BURST', '0'],
    ['GATEWAY__MAX_PROMPT_BYTES', String(1024 * 1024 + 1)],
    ['GATEWAY__MAX_PROMPT_MESSAGES', '1025'],
  ]
  for (const [name, value] of outside) {
    refusal(t, { ...NOTHING, environment: { [`STARLING_${name}`]: value } })
  }
})

test('should take the address of a server with or without http://', (t) => {
  for (const url of ['workstation', 'localhost:11434', '[::1]:8000/v1', 'https://example.com/v1']) {
    const processor = { ollama: { url }, openai: { url } }
    const config = loadConfig({ ...NOTHING, flags: { processor } })
    t.is(config.processor.ollama.url, url)
    t.is(config.processor.openai.url, url)
  }
  const why = refusal(t, { ...NOTHING, flags: { processor: { ollama: { url: 'ftp://x' } } } })
  t.ok(
    why.endsWith('the address has an unsupported URL scheme; write host:port or http://host:port'),
    why,
  )
})

test('should say that a port is too high wherever one is set', (t) => {
  const server = 'the address has a port above 65535; write host:port or http://host:port'
  const cases: [flags: object, reason: string][] = [
    [{ metrics: { port: 65_536 } }, 'the highest port is 65535'],
    [{ network: { bootstrapPort: 99_999 } }, 'the highest port is 65535'],
    [{ processor: { hubUrl: 'https://example.com:99999' } }, 'the highest port is 65535'],
    [{ processor: { ollama: { url: 'localhost:99999' } } }, server],
    [{ processor: { openai: { url: 'http://localhost:99999/v1' } } }, server],
  ]
  for (const [flags, reason] of cases) {
    const why = refusal(t, { ...NOTHING, flags: { ...flags } })
    t.ok(why.endsWith(`, set by the command line: ${reason}`), why)
  }
})

test('should say why when the file is none', async (t) => {
  const folder = await t.tmp()
  await mkdir(join(folder, 'folder'))
  const missing = join(folder, 'missing.json')
  t.is(refusal(t, { ...NOTHING, file: missing }), `The file ${missing} cannot be read`)
  const directory = join(folder, 'folder')
  t.is(refusal(t, { ...NOTHING, file: directory }), `The file ${directory} cannot be read`)
  const file = join(folder, 'starling.json')
  for (const content of ['', '{"home":', 'home=/tmp']) {
    await writeFile(file, content)
    t.is(refusal(t, { ...NOTHING, file }), `The file ${file} is not valid JSON`)
  }
  for (const content of ['[]', '"home"', 'null', '5']) {
    await writeFile(file, content)
    t.is(refusal(t, { ...NOTHING, file }), `The file ${file} does not contain a JSON object`)
  }
})

test('should make the home absolute when it is relative', (t) => {
  t.is(loadConfig({ ...NOTHING, flags: { home: 'some/where' } }).home, resolve('some/where'))
  t.is(loadConfig({ ...NOTHING, environment: { STARLING_HOME: '/a/../b' } }).home, '/b')
})

test('should accept its own defaults when they are written out', async (t) => {
  const defaults = configSchema.parse({})
  const file = await fileOf(t, defaults)
  t.alike(loadConfig({ ...NOTHING, file }), { ...defaults, home: resolve(defaults.home) })
})
