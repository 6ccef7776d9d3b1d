import test from 'brittle'
import {
  agreeOnVersion,
  createHello,
  PROTOCOL_VERSIONS,
  readHello,
} from '../../../../helpers/protocol/hello-message.js'
import { PROTOCOL_LIMITS } from '../../../../helpers/protocol/limits.js'
import { MeshAuthority, newKeyPair } from '../../../helpers/network/mesh-authority.js'
import { codeThrownBy } from '../../../helpers/property.js'

const certificate = { body: Buffer.from('body'), signature: Buffer.alloc(64, 1) }
const hello = createHello(certificate, Buffer.alloc(64, 2))

function encoded(message: unknown): Buffer {
  return Buffer.from(JSON.stringify(message))
}

test('should come back as the bytes it was made of when a hello is read', (t) => {
  t.alike(readHello(encoded(hello)), {
    version: PROTOCOL_VERSIONS.highest,
    certificate,
    proof: Buffer.alloc(64, 2),
  })
})

test('should fit its limit when the certificate is as large as one can be', (t) => {
  const authority = new MeshAuthority({ now: () => Date.UTC(2026, 0, 1) })
  const roles = Array.from(
    { length: 16 },
    (_, n) => `${'r'.repeat(30)}${String(n).padStart(2, '0')}`,
  )
  const changes = { name: '🐦'.repeat(50), serial: 's'.repeat(64) }
  const largest = authority.certify(newKeyPair(), roles, changes)
  const message = encoded(createHello(largest, Buffer.alloc(64)))
  t.ok(message.byteLength < PROTOCOL_LIMITS.helloBytes)
  t.alike(readHello(message).certificate, largest)
})

test('should be refused when a field is missing, no base64, too long or out of range', (t) => {
  const wrong = [
    { ...hello, proof: 'not base64!' },
    { ...hello, proof: undefined },
    { ...hello, certificate: { ...hello.certificate, body: 'A'.repeat(2_736) } },
    { ...hello, certificate: undefined },
    { ...hello, versions: { lowest: 0, highest: 3 } },
    { ...hello, versions: { lowest: 1, highest: 0x1_0000 } },
    { ...hello, versions: { lowest: 1, highest: 3.5 } },
    { ...hello, versions: undefined },
    { ...hello, critical: 'proof' },
    { ...hello, critical: Array(17).fill('proof') },
    [hello],
    null,
  ]
  for (const message of wrong) {
    t.is(
      codeThrownBy(() => readHello(encoded(message))),
      'INVALID_REQUEST',
    )
  }
})

test('should read the versions before the rest when the rest has another form', (t) => {
  const later = { lowest: PROTOCOL_VERSIONS.highest + 1, highest: 99 }
  for (const message of [{ versions: later }, { versions: later, proof: 1, critical: ['all'] }]) {
    t.is(
      codeThrownBy(() => readHello(encoded(message))),
      'VERSION_UNSUPPORTED',
    )
  }
  const overlapping = { versions: { ...later, lowest: 1 }, proof: 1 }
  t.is(
    codeThrownBy(() => readHello(encoded(overlapping))),
    'INVALID_REQUEST',
  )
})

test('should ignore what is not known unless it is critical', (t) => {
  const more = { region: 'attic', versions: { ...hello.versions, preferred: 3 } }
  const critical = ['versions', 'certificate', 'proof', 'critical']
  t.alike(readHello(encoded({ ...hello, ...more, critical })), readHello(encoded(hello)))
  const marked = encoded({ ...hello, ...more, critical: ['region'] })
  t.is(
    codeThrownBy(() => readHello(marked)),
    'PROTOCOL_VIOLATION',
  )
})

test('should agree on the highest common version when there is one', (t) => {
  t.is(agreeOnVersion({ lowest: 1, highest: 3 }, { lowest: 2, highest: 9 }), 3)
  t.is(agreeOnVersion({ lowest: 2, highest: 9 }, { lowest: 1, highest: 3 }), 3)
  t.is(agreeOnVersion(PROTOCOL_VERSIONS, PROTOCOL_VERSIONS), PROTOCOL_VERSIONS.highest)
})

test('should agree on nothing when the ranges do not meet or one is upside down', (t) => {
  t.is(agreeOnVersion({ lowest: 1, highest: 1 }, { lowest: 2, highest: 9 }), undefined)
  t.is(agreeOnVersion({ lowest: 3, highest: 4 }, { lowest: 1, highest: 2 }), undefined)
  t.is(agreeOnVersion({ lowest: 1, highest: 5 }, { lowest: 4, highest: 2 }), undefined)
})
