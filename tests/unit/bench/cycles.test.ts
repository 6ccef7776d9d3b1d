import test from 'brittle'
import { takeCycles } from '../../../bench/engine/cycles.js'
import { loadConfig } from '../../../config/load-config.js'

test('should count as many cycles as the environment says, and leave nothing there that workers refuse', (t) => {
  const environment = { STARLING_BENCH_CYCLES: '200', STARLING_HOME: '/home' }
  t.is(takeCycles(environment), 200)
  t.is(loadConfig({ environment, flags: {} }).home, '/home')
  t.is(takeCycles(environment), 20)
})
