import test from 'brittle'
import { keepSessionKey } from '../../../../helpers/accounts/session-key-record.js'

const ONE = { privateKeyPem: 'one' }
const OTHER = { privateKeyPem: 'other' }

test('should store the first key and keep it', (t) => {
  const [key = ''] = keepSessionKey.keysOf(ONE)
  const first = keepSessionKey.decide(new Map(), ONE, 0)
  t.alike(first, { changes: [{ kind: 'put', key, value: ONE }], answer: 'one' })
  const second = keepSessionKey.decide(new Map([[key, ONE]]), OTHER, 0)
  t.alike(second, { changes: [], answer: 'one' })
})

test('should refuse a stored key of another format without showing it', (t) => {
  const [key = ''] = keepSessionKey.keysOf(ONE)
  try {
    keepSessionKey.decide(new Map([[key, { pem: 'secret' }]]), OTHER, 0)
    t.fail('it was accepted')
  } catch (error) {
    t.is(Object(error).code, 'INTERNAL')
    t.absent(String(error).includes('secret'))
  }
})
