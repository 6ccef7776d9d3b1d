import test from 'brittle'
import {
  agreeOnVersion,
  createHello,
  helloSchema,
  PROTOCOL_VERSIONS,
  readHello,
} from '../../../../helpers/protocol/hello-message.js'
import { encodeMessage } from '../../../../helpers/protocol/json-message.js'
import { PROTOCOL_LIMITS } from '../../../../helpers/protocol/limits.js'
import { MeshAuthority, newKeyPair } from '../../../helpers/network/mesh-authority.js'

const certificate = { body: Buffer.from('body'), signature: Buffer.alloc(64, 1) }
const hello = createHello(certificate, Buffer.alloc(64, 2))

test('should come back as the bytes it was made of when a hello is read', (t) => {
  const read = readHello(helloSchema.parse(JSON.parse(JSON.stringify(hello))))
  t.alike(read.certificate, certificate)
  t.alike(read.proof, Buffer.alloc(64, 2))
})

test('should fit its limit when the certificate is as large as one can be', (t) => {
  const authority = new MeshAuthority({ now: () => Date.UTC(2026, 0, 1) })
  const largest = authority.certify(newKeyPair(), ['auth', 'gateway', 'processor', 'client'], {
    name: '🐦'.repeat(50),
    serial: 's'.repeat(64),
  })
  const message = createHello(largest, Buffer.alloc(64))
  t.ok(helloSchema.safeParse(message).success)
  t.ok(encodeMessage(message, PROTOCOL_LIMITS.helloBytes, 'the hello'))
})

test('should be refused when a field is added, missing or no base64', (t) => {
  const wrong = [
    { ...hello, admin: true },
    { ...hello, proof: 'not base64!' },
    { ...hello, proof: undefined },
    { ...hello, certificate: { ...hello.certificate, body: 'A'.repeat(2_052) } },
    { ...hello, versions: { lowest: 0, highest: 1 } },
    { ...hello, versions: { lowest: 1, highest: 0x1_0000 } },
    { ...hello, versions: { lowest: 1, highest: 1.5 } },
  ]
  for (const message of wrong) t.absent(helloSchema.safeParse(message).success)
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
