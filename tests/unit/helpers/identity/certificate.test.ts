import test from 'brittle'
import {
  type Certificate,
  CLOCK_ALLOWANCE_MS,
  issueCertificate,
  verifyCertificate,
} from '../../../../helpers/identity/certificate.js'
import { sign } from '../../../../helpers/identity/signature.js'
import { MeshAuthority, newKeyPair } from '../../../helpers/network/mesh-authority.js'

const NOW = Date.UTC(2026, 0, 1)
const time = { now: () => NOW }

function house(changes: Partial<Certificate> = {}) {
  const authority = new MeshAuthority(time)
  const holder = newKeyPair()
  const signed = authority.certify(holder, ['gateway'], changes)
  const expected = { mesh: authority.mesh, holderPublicKey: holder.publicKey, nowMs: NOW }
  return { authority, holder, signed, expected }
}

test('should return the certificate when its mesh signed it for its holder', (t) => {
  const { signed, expected, authority } = house({ name: 'gateway@attic' })
  const certificate = verifyCertificate(signed, expected)
  t.is(certificate.name, 'gateway@attic')
  t.is(certificate.mesh, authority.mesh)
  t.alike(certificate.roles, ['gateway'])
})

test('should refuse the certificate when another mesh signed it', async (t) => {
  const { signed, expected } = house()
  const { mesh } = new MeshAuthority(time)
  await t.exception(() => verifyCertificate(signed, { ...expected, mesh }), {
    code: 'CERTIFICATE_INVALID',
  })
})

test('should refuse the certificate when another peer presents it', async (t) => {
  const { signed, expected } = house()
  await t.exception(
    () => verifyCertificate(signed, { ...expected, holderPublicKey: newKeyPair().publicKey }),
    { code: 'CERTIFICATE_INVALID' },
  )
})

test('should refuse the certificate when one bit of it was changed', async (t) => {
  const { signed, expected } = house()
  for (const part of ['body', 'signature'] as const) {
    const changed = { ...signed, [part]: Buffer.from(signed[part]) }
    changed[part][5] = (changed[part][5] ?? 0) ^ 1
    await t.exception(() => verifyCertificate(changed, expected), { code: 'CERTIFICATE_INVALID' })
  }
})

test('should refuse the certificate when the signature has another length', async (t) => {
  const { signed, expected } = house()
  for (const signature of [new Uint8Array(0), signed.signature.subarray(1), Buffer.alloc(65)]) {
    await t.exception(() => verifyCertificate({ ...signed, signature }, expected), {
      code: 'CERTIFICATE_INVALID',
    })
  }
})

test('should refuse the body when the root signed it for another purpose', async (t) => {
  const { signed, expected, authority } = house()
  const signature = sign('starling/hello/1', signed.body, authority.root.secretKey)
  await t.exception(() => verifyCertificate({ ...signed, signature }, expected), {
    code: 'CERTIFICATE_INVALID',
  })
})

test('should refuse what the root signed when it is no certificate', async (t) => {
  const { signed, expected, authority } = house()
  const certificate = JSON.parse(Buffer.from(signed.body).toString('utf8'))
  for (const value of ['no JSON', '{}', JSON.stringify({ ...certificate, admin: true })]) {
    const body = Buffer.from(value)
    const signature = sign('starling/certificate/1', body, authority.root.secretKey)
    await t.exception(() => verifyCertificate({ body, signature }, expected), {
      code: 'CERTIFICATE_INVALID',
    })
  }
})

test('should refuse the certificate when the root signed it in the name of another mesh', async (t) => {
  const { signed, expected, authority } = house()
  const certificate = JSON.parse(Buffer.from(signed.body).toString('utf8'))
  const body = Buffer.from(JSON.stringify({ ...certificate, mesh: '0'.repeat(64) }))
  const signature = sign('starling/certificate/1', body, authority.root.secretKey)
  await t.exception(() => verifyCertificate({ body, signature }, expected), {
    code: 'CERTIFICATE_INVALID',
  })
})

test('should allow for clocks that differ when the certificate ends', async (t) => {
  const { signed, expected } = house({ expiresAt: NOW })
  const latest = NOW + CLOCK_ALLOWANCE_MS - 1
  t.ok(verifyCertificate(signed, { ...expected, nowMs: latest }))
  await t.exception(() => verifyCertificate(signed, { ...expected, nowMs: latest + 1 }), {
    code: 'CERTIFICATE_EXPIRED',
  })
})

test('should not issue a certificate when it names no role, or has a bad key', async (t) => {
  const { authority } = house()
  const good = { publicKey: 'a'.repeat(64), name: 'x', serial: '1', expiresAt: NOW }
  await t.exception.all(() => issueCertificate(authority.root, { ...good, roles: [] }))
  await t.exception.all(() =>
    issueCertificate(authority.root, { ...good, roles: ['client'], publicKey: 'A'.repeat(64) }),
  )
})
