import test from 'brittle'
import { engineThreads } from '../../../helpers/engine-threads.js'

const MIB = 1024 * 1024

test('should take one thread when the model is small', (t) => {
  t.is(engineThreads(30 * MIB, 16), 1)
  t.is(engineThreads(256 * MIB - 1, 16), 1)
})

test('should leave one thread to the machine when the model is large', (t) => {
  t.is(engineThreads(256 * MIB, 16), 15)
})

test('should take one thread when the machine has no more', (t) => {
  t.is(engineThreads(4096 * MIB, 1), 1)
})
