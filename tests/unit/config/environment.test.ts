import test from 'brittle'
import { readEnvironment, toVariables } from '../../../config/environment.js'

test('should read sections and words when names have underscores', (t) => {
  t.alike(
    readEnvironment({
      STARLING_HOME: '/tmp/home',
      STARLING_LOG_LEVEL: 'debug',
      STARLING_GATEWAY__LOAD_INTERVAL_MS: '500',
      STARLING_NETWORK__BOOTSTRAP_PORT: '4000',
      STARLING_NETWORK__HELLO_TIMEOUT_MS: '1000',
    }),
    {
      home: '/tmp/home',
      logLevel: 'debug',
      gateway: { loadIntervalMs: 500 },
      network: { bootstrapPort: 4000, helloTimeoutMs: 1000 },
    },
  )
})

test('should take numbers and booleans as such when a value spells one', (t) => {
  const values = { A: '7', B: '-1.5', C: 'true', D: 'false', E: '1e3', F: 'True', G: '7 ', H: '.5' }
  const environment = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`STARLING_${name}`, value]),
  )
  t.alike(readEnvironment(environment), {
    a: 7,
    b: -1.5,
    c: true,
    d: false,
    e: '1e3',
    f: 'True',
    g: '7 ',
    h: '.5',
  })
})

test('should leave out what is empty, undefined or of somebody else', (t) => {
  t.alike(
    readEnvironment({
      PATH: '/bin',
      HOME: '/root',
      starling_home: 'lower',
      XSTARLING_HOME: 'x',
      STARLING_HOME: '',
      STARLING_LOG_LEVEL: undefined,
    }),
    {},
  )
})

test('should keep a section whole when a plain value has its name', (t) => {
  t.alike(readEnvironment({ STARLING_GATEWAY: '5', STARLING_GATEWAY__LOAD_INTERVAL_MS: '20' }), {
    gateway: { loadIntervalMs: 20 },
  })
})

test('should take a list of texts as JSON when it holds commas', (t) => {
  const readings = new Map([['STARLING_LIST', 'list' as const]])
  const read = (text: string) => readEnvironment({ STARLING_LIST: text }, readings).list
  t.alike(read('a, b'), ['a', 'b'])
  t.alike(read('["a,b","7"]'), ['a,b', '7'])
  t.alike(read('[a,b]'), ['[a', 'b]'], 'a name may begin like a list')
  t.alike(read('[1,2]'), ['[1', '2]'])
})

test('should write settings as the variables that set them', (t) => {
  t.alike(
    toVariables({
      home: '/data',
      json: false,
      gateway: { rateLimit: { perMinute: 7 }, loadIntervalMs: undefined },
      processor: { models: ['a,b'] },
    }),
    {
      STARLING_HOME: '/data',
      STARLING_JSON: 'false',
      STARLING_GATEWAY__RATE_LIMIT__PER_MINUTE: '7',
      STARLING_PROCESSOR__MODELS: '["a,b"]',
    },
  )
})
