import test from 'brittle'
import { engineFingerprint } from '../../../../helpers/generation/engine-fingerprint.js'

test('should be the same for the same parts in any order', (t) => {
  const one = engineFingerprint('ab', { build: '1', backend: 'cpu' })
  t.is(engineFingerprint('ab', { backend: 'cpu', build: '1' }), one)
  t.ok(/^[0-9a-f]{64}$/.test(one))
})

test('should be another when anything is another', (t) => {
  const parts = { build: '1', backend: 'cpu' }
  const all = [
    engineFingerprint('ab', parts),
    engineFingerprint('cd', parts),
    engineFingerprint('ab', { ...parts, build: '2' }),
    engineFingerprint('ab', { ...parts, threads: '1' }),
    engineFingerprint('ab', { build: 'cpu', backend: '1' }),
  ]
  t.is(new Set(all).size, all.length)
})
