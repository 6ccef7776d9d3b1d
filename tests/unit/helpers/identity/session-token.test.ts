import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import test, { type Test } from 'brittle'
import jsonwebtoken from 'jsonwebtoken'
import { isStarlingError } from '../../../../helpers/errors/starling-error.js'
import {
  isSessionCurrent,
  sessionKeyIdOf,
  signSessionToken,
  verifySessionToken,
} from '../../../../helpers/identity/session-token.js'

const MESH = 'ab'.repeat(32)
const NOW_MS = Date.UTC(2026, 0, 1)
const HOUR_MS = 60 * 60 * 1000
const USER = 'usr_01J0000000000000000000000A'

function createKey(): { privateKeyPem: string; publicKeyPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  }
}

const { privateKeyPem, publicKeyPem } = createKey()
const keys = new Map<string, string | KeyObject>([['one', publicKeyPem]])

function signValid(changes: Partial<Parameters<typeof signSessionToken>[0]> = {}): string {
  return signSessionToken({
    userId: USER,
    mesh: MESH,
    keyId: 'one',
    privateKeyPem,
    nowMs: NOW_MS,
    lifetimeMs: HOUR_MS,
    ...changes,
  })
}

function verify(token: string, nowMs = NOW_MS, mesh = MESH): ReturnType<typeof verifySessionToken> {
  return verifySessionToken(token, { mesh, keys, nowMs })
}

const VALID_HEADER = { alg: 'ES256', typ: 'starling-session+jwt', kid: 'one' }
const VALID_CLAIMS = {
  iss: `starling:${MESH}`,
  aud: 'starling:gateway',
  sub: USER,
  iat: NOW_MS / 1000,
  exp: (NOW_MS + HOUR_MS) / 1000,
}

/** A token whose signature is right, whatever else it says. */
function forge(claims: object, header: object = VALID_HEADER): string {
  return jsonwebtoken.sign(claims, privateKeyPem, {
    algorithm: 'ES256',
    noTimestamp: !('iat' in claims),
    header: header as jsonwebtoken.JwtHeader,
  })
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function assertRefused(t: Test, token: string, why: RegExp, nowMs = NOW_MS, mesh = MESH): void {
  try {
    verify(token, nowMs, mesh)
    t.fail('the token was accepted')
  } catch (error) {
    if (!isStarlingError(error, 'INVALID_CREDENTIAL')) throw error
    t.ok(why.test(error.message), error.message)
    for (const part of token.split('.').filter((text) => text.length > 8)) {
      t.absent(error.message.includes(part), 'the message does not hold the token')
    }
    t.absent(error.cause, 'nothing below it, which might')
  }
}

test('should say whose session it is when the token is valid', (t) => {
  const token = signValid({ tokenId: 'abc' })
  t.alike(verify(token), {
    userId: USER,
    issuedAtMs: NOW_MS,
    expiresAtMs: NOW_MS + HOUR_MS,
    tokenId: 'abc',
  })
  t.is(verify(signValid()).tokenId, undefined)
  t.is(verify(forge(VALID_CLAIMS)).userId, USER, 'the tokens forged below start out valid')
  t.ok(token.length < 600, `${token.length} characters`)
})

test('should say that it is a session of the machine itself when it is one', (t) => {
  t.is(verify(signValid({ isLocal: true })).isLocal, true)
  t.is(verify(signValid({ isLocal: false })).isLocal, undefined)
  assertRefused(t, forge({ ...VALID_CLAIMS, local: 'yes' }), /malformed/)
})

test('should verify with a parsed key when one is handed in', (t) => {
  const parsed = new Map([['one', createPublicKey(publicKeyPem)]])
  t.is(verifySessionToken(signValid(), { mesh: MESH, keys: parsed, nowMs: NOW_MS }).userId, USER)
})

test('should verify when the clock stands at its beginning', (t) => {
  const token = signValid({ nowMs: 0 })
  t.is(verify(token, 0).userId, USER)
  assertRefused(t, token, /expired/, HOUR_MS + 61_000)
})

test('should refuse when the session is over by more than the allowance', (t) => {
  const token = signValid()
  t.is(verify(token, NOW_MS + HOUR_MS + 59_000).userId, USER)
  const both = /expired.* ended at 2026-01-01T01:00:00Z.* gateway says 2026-01-01T01:01:00Z$/
  assertRefused(t, token, both, NOW_MS + HOUR_MS + 60_000)
})

test('should blame the clocks when the token is from the future by more than the allowance', async (t) => {
  const token = signValid()
  t.is(verify(token, NOW_MS - 60_000).userId, USER)
  await t.exception(async () => verify(token, NOW_MS - 61_000), {
    code: 'CLOCKS_DIFFER',
    message:
      'The session was opened at 2026-01-01T00:00:00Z by the clock of the auth worker, ' +
      'and the clock of the gateway says 2025-12-31T23:58:59Z',
  })
  const forged = signValid({ privateKeyPem: createKey().privateKeyPem })
  assertRefused(t, forged, /malformed/, NOW_MS - 61_000)
})

test('should refuse when the token is of another mesh', (t) => {
  assertRefused(t, signValid({ mesh: 'cd'.repeat(32) }), /mesh/)
  assertRefused(t, signValid(), /mesh/, NOW_MS, 'cd'.repeat(32))
})

test('should refuse when the token is not signed', (t) => {
  const none = { ...VALID_HEADER, alg: 'none' }
  assertRefused(t, `${encode(none)}.${encode(VALID_CLAIMS)}.`, /malformed/)
  assertRefused(t, `${encode(VALID_HEADER)}.${encode(VALID_CLAIMS)}.`, /malformed/)
})

test('should refuse when the public key was used as a shared secret', (t) => {
  const header = { ...VALID_HEADER, alg: 'HS256' as const }
  const token = jsonwebtoken.sign(VALID_CLAIMS, Buffer.from(publicKeyPem), {
    algorithm: 'HS256',
    header,
  })
  assertRefused(t, token, /malformed/)
  const [, claims, signature] = token.split('.')
  assertRefused(t, `${encode(VALID_HEADER)}.${claims}.${signature}`, /malformed/)
})

test('should refuse when another algorithm of the same family signed', (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const header = { ...VALID_HEADER, alg: 'ES384' as const }
  const token = jsonwebtoken.sign(VALID_CLAIMS, privateKey, { algorithm: 'ES384', header })
  try {
    verifySessionToken(token, { mesh: MESH, keys: new Map([['one', publicKey]]), nowMs: NOW_MS })
    t.fail('the token was accepted')
  } catch (error) {
    t.ok(isStarlingError(error, 'INVALID_CREDENTIAL'))
  }
})

test('should refuse when a header field is missing, wrong or not known', (t) => {
  const { kid: _kid, ...withoutKey } = VALID_HEADER
  // Spelled by hand: jsonwebtoken would add the type.
  const { typ: _typ, ...withoutType } = VALID_HEADER
  const [, claims, signature] = signValid().split('.')
  assertRefused(t, `${encode(withoutType)}.${claims}.${signature}`, /malformed/)
  assertRefused(t, forge(VALID_CLAIMS, withoutKey), /malformed/)
  for (const change of [{ typ: 'JWT' }, { kid: 7 }, { crit: ['exp'] }, { jku: 'http://x' }]) {
    assertRefused(t, forge(VALID_CLAIMS, { ...VALID_HEADER, ...change }), /malformed/)
  }
})

test('should refuse when a claim is missing', (t) => {
  for (const name of ['iss', 'aud', 'sub', 'iat', 'exp'] as const) {
    const { [name]: _left, ...rest } = VALID_CLAIMS
    assertRefused(t, forge(rest), /malformed/)
  }
})

test('should refuse when a claim is wrong or not known', (t) => {
  const changes = [
    { iss: 'starling:' },
    { aud: 'starling:auth' },
    { aud: ['starling:gateway', 'somebody-else'] },
    { sub: 'key_01J0000000000000000000000A' },
    { sub: '' },
    { iat: NOW_MS / 1000 + 0.5 },
    { nbf: NOW_MS / 1000 - 1 },
    { roles: ['admin'] },
  ]
  for (const change of changes) {
    assertRefused(t, forge({ ...VALID_CLAIMS, ...change }), /malformed/)
  }
})

test('should refuse when the key is not known', (t) => {
  const token = signValid({ keyId: 'two' })
  assertRefused(t, token, /unknown key/)
  t.is(sessionKeyIdOf(token), 'two')
})

test('should refuse when another key signed under a known name', (t) => {
  assertRefused(t, signValid({ privateKeyPem: createKey().privateKeyPem }), /malformed/)
})

test('should refuse when the token was cut or changed anywhere', (t) => {
  const token = signValid()
  for (const cut of [0, 1, 20, token.indexOf('.'), token.lastIndexOf('.'), token.length - 2]) {
    assertRefused(t, token.slice(0, cut), /malformed/)
  }
  const [header, , signature] = token.split('.')
  const claims = encode({ ...VALID_CLAIMS, sub: 'usr_somebody_else' })
  assertRefused(t, `${header}.${claims}.${signature}`, /malformed/)
  assertRefused(t, `${token}.${signature}`, /malformed/)
  assertRefused(t, 'x'.repeat(100_000), /malformed/)
  assertRefused(t, '....', /malformed/)
})

test('should not take a broken key of ours for a broken token', async (t) => {
  const broken = new Map([['one', 'no key']])
  try {
    verifySessionToken(signValid(), { mesh: MESH, keys: broken, nowMs: NOW_MS })
    t.fail('the token was accepted')
  } catch (error) {
    t.absent(isStarlingError(error))
  }
})

test('should name no key when the header is not one of a session', (t) => {
  t.is(sessionKeyIdOf(signValid()), 'one')
  t.is(sessionKeyIdOf(''), undefined)
  t.is(sessionKeyIdOf(`${encode(VALID_HEADER)}.${'x'.repeat(3900)}`), 'one')
  t.is(sessionKeyIdOf(`${encode(VALID_HEADER)}.${'x'.repeat(4096)}`), undefined)
  t.is(sessionKeyIdOf('not a token'), undefined)
  t.is(sessionKeyIdOf(`${encode([])}.x.y`), undefined)
  t.is(sessionKeyIdOf(`${encode({ ...VALID_HEADER, alg: 'HS256' })}.x.y`), undefined)
  t.is(sessionKeyIdOf(`${encode({ ...VALID_HEADER, kid: 'k'.repeat(65) })}.x.y`), undefined)
})

test('should call a verified session current exactly as long as it would be verified again', (t) => {
  const token = signValid()
  const claims = verify(token)
  const isVerified = (nowMs: number) => {
    try {
      return verify(token, nowMs).userId === USER
    } catch {
      return false
    }
  }
  for (const edgeMs of [-60_000, 0, HOUR_MS, HOUR_MS + 60_000]) {
    for (const besideMs of [-1_000, -1, 0, 1, 1_000]) {
      const nowMs = NOW_MS + edgeMs + besideMs
      t.is(isSessionCurrent(claims, nowMs), isVerified(nowMs), String(edgeMs + besideMs))
    }
  }
})
