import test from 'brittle'
import { missingFrom, planOf } from '../../../../workers/mesh/mesh-plan.js'

function plan(processors: number, metricsPort = 0) {
  return planOf({
    processors,
    metricsPort,
    entry: (role) => `/${role}.js`,
    flags: ['--home', '/h'],
    environment: { PATH: '/bin', STARLING_AUTH__MAX_WAITING_HASHES: '1' },
    processorVariables: { STARLING_PROCESSOR__MODELS: 'm' },
  })
}

const missing = (processors: number, ...running: string[]) =>
  missingFrom(plan(processors), new Set(running)).map(({ name }) => name)

test('should consist of auth, a gateway and the configured number of processors', (t) => {
  const flags = ['--home', '/h']
  const common = { PATH: '/bin' }
  const processor = { ...common, STARLING_PROCESSOR__MODELS: 'm' }
  const auth = { ...common, STARLING_AUTH__MAX_WAITING_HASHES: '1' }
  t.alike(plan(2), [
    { name: 'auth', script: '/auth.js', flags, environment: auth },
    { name: 'gateway', script: '/gateway.js', flags, environment: common },
    { name: 'processor', script: '/processor.js', flags, environment: processor },
    { name: 'processor-2', script: '/processor.js', flags, environment: processor },
  ])
})

test('should give each worker its own metrics port', (t) => {
  t.alike(
    plan(2, 9464).map(({ flags }) => flags.slice(-2)),
    ['9464', '9465', '9466', '9467'].map((port) => ['--metrics-port', port]),
  )
})

test('should refuse metrics ports that do not exist', (t) => {
  t.is(plan(1, 65_533).length, 3)
  t.exception(
    () => plan(2, 65_533),
    /4 workers need the ports 65533 to 65536, and the highest port is 65535/,
  )
})

test('should start the workers that do not run, and none twice', (t) => {
  t.alike(missing(1), ['auth', 'gateway', 'processor'])
  t.alike(missing(1, 'auth', 'processor'), ['gateway'])
  t.alike(missing(1, 'auth', 'gateway', 'processor'), [])
  t.alike(missing(1, 'auth', 'gateway', 'processor-2'), [], 'one processor is as good as another')
  t.alike(missing(2, 'auth', 'gateway', 'processor'), ['processor-2'])
  t.alike(missing(2, 'auth', 'gateway', 'processor-2'), ['processor'])
  t.alike(missing(1, 'auth', 'gateway', 'processor', 'processor-2'), [])
  t.alike(missing(1, 'gateway-2'), ['auth', 'processor'], 'and so is one gateway')
})
