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
  for (const value of ['no JSON', '{}', '[]', JSON.stringify({ ...certificate, serial: 1 })]) {
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

test('should accept roles that this version does not know when they have the form of roles', async (t) => {
  const { authority, holder, expected } = house()
  const longest = `r${'-9'.repeat(15)}z`
  t.is(longest.length, 32)
  const many = Array.from({ length: 16 }, (_, n) => `role-${n}`)
  for (const roles of [['librarian'], ['x'], [longest], many, ['constructor']]) {
    t.alike(verifyCertificate(authority.certify(holder, roles), expected).roles, roles)
  }
})

test('should refuse the certificate when a role has no form of a role, or there are too many', async (t) => {
  const { authority, holder, expected } = house()
  const many = (count: number) => Array.from({ length: count }, (_, n) => `role-${n}`)
  const wrong = [
    [],
    [''],
    ['Gateway'],
    ['gateWay'],
    ['r'.repeat(33)],
    ['9lives'],
    ['-gateway'],
    ['gate way'],
    ['gateway\n'],
    ['gäteway'],
    ['gateway', 1],
    'gateway',
    many(17),
    many(1_000),
  ]
  for (const roles of wrong) {
    const signed = authority.certifyAnything(holder, { roles })
    const says = JSON.stringify(roles).slice(0, 40)
    await t.exception(
      () => verifyCertificate(signed, expected),
      { code: 'CERTIFICATE_INVALID' },
      says,
    )
  }
})

test('should ignore fields that it does not know when they are not critical', (t) => {
  const { authority, holder, expected, signed } = house()
  const known = verifyCertificate(authority.certifyAnything(holder, {}), expected)
  t.alike(Object.keys(known).sort(), Object.keys(verifyCertificate(signed, expected)).sort())
  for (const more of [
    { admin: true },
    { critical: [] },
    { generation: 7, critical: ['mesh', 'publicKey', 'roles', 'name', 'serial', 'expiresAt'] },
    { generation: 7, critical: Array(16).fill('critical') },
  ]) {
    t.alike(verifyCertificate(authority.certifyAnything(holder, more), expected), known)
  }
})

test('should refuse the certificate and name the field when a field is critical and not known', async (t) => {
  const { authority, holder, expected } = house()
  for (const more of [
    { generation: 7, critical: ['generation'] },
    { critical: ['roles', 'generation'] },
    { generation: 7, limits: 1, critical: ['generation', 'limits'] },
  ]) {
    const signed = authority.certifyAnything(holder, more)
    await t.exception(() => verifyCertificate(signed, expected), {
      code: 'CERTIFICATE_INVALID',
      message: 'This version does not know the critical field generation of the certificate',
    })
  }
  for (const name of ['constructor', 'toString', '__proto__']) {
    const signed = authority.certifyAnything(holder, { critical: [name] })
    await t.exception(() => verifyCertificate(signed, expected), new RegExp(name))
  }
})

test('should refuse the certificate when its list of critical fields is malformed', async (t) => {
  const { authority, holder, expected } = house()
  for (const critical of ['roles', [1], [''], ['x'.repeat(65)], Array(17).fill('roles'), null]) {
    const signed = authority.certifyAnything(holder, { critical })
    await t.exception(() => verifyCertificate(signed, expected), { code: 'CERTIFICATE_INVALID' })
  }
})

test('should allow for clocks that differ when the certificate ends', async (t) => {
  const { signed, expected } = house({ expiresAt: NOW })
  const latest = NOW + CLOCK_ALLOWANCE_MS - 1
  t.ok(verifyCertificate(signed, { ...expected, nowMs: latest }))
  await t.exception(() => verifyCertificate(signed, { ...expected, nowMs: latest + 1 }), {
    code: 'CERTIFICATE_EXPIRED',
  })
})

test('should not issue a certificate when it names no role or no possible one, or has a bad key', async (t) => {
  const { authority } = house()
  const good = { publicKey: 'a'.repeat(64), name: 'x', serial: '1', expiresAt: NOW }
  await t.exception.all(() => issueCertificate(authority.root, { ...good, roles: [] }))
  await t.exception.all(() => issueCertificate(authority.root, { ...good, roles: ['Client'] }))
  await t.exception.all(() =>
    issueCertificate(authority.root, { ...good, roles: ['client'], publicKey: 'A'.repeat(64) }),
  )
})
