import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import test from 'brittle'
import type { Random } from '../../../../facilities/clock/random.js'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { createPrivateKeyPem, SessionKeys } from '../../../../workers/auth/session-keys.js'

/** Gives these draws, one after the other. */
function drawing(...draws: Uint8Array[]): Random {
  return {
    bytes: () => draws.shift() ?? new Uint8Array(32),
    below: () => 0,
    fraction: () => 0,
  }
}

test('should name a key by its RFC 7638 thumbprint when it is loaded', (t) => {
  const keys = new SessionKeys(createPrivateKeyPem(drawing(Buffer.alloc(32, 7))))
  const again = new SessionKeys(createPrivateKeyPem(drawing(Buffer.alloc(32, 7))))
  const other = new SessionKeys(createPrivateKeyPem(drawing(Buffer.alloc(32, 8))))
  t.ok(/^[\w-]{43}$/.test(keys.keyId))
  t.is(keys.keyId, again.keyId)
  t.not(keys.keyId, other.keyId)
})

test('should publish only the public half when it is asked for keys', (t) => {
  const keys = new SessionKeys(createPrivateKeyPem(new SystemRandom()))
  const [published, ...others] = keys.publicKeys()
  t.is(others.length, 0)
  t.is(published?.keyId, keys.keyId)
  t.ok(published?.publicKeyPem.startsWith('-----BEGIN PUBLIC KEY-----'))
  t.ok(createPublicKey(published?.publicKeyPem ?? '').equals(createPublicKey(keys.privateKey)))
})

test('should draw again when the number is not a valid private key', (t) => {
  const pem = createPrivateKeyPem(
    drawing(Buffer.alloc(32), Buffer.alloc(32, 0xff), Buffer.alloc(32, 7)),
  )
  t.is(pem, createPrivateKeyPem(drawing(Buffer.alloc(32, 7))))
})

test('should give up when the random source is broken', async (t) => {
  await t.exception.all(async () => createPrivateKeyPem(drawing()))
})

test('should make a complete key when the number begins with zeros', (t) => {
  const number = Buffer.alloc(32)
  number.writeUInt8(5, 31)
  const { d } = createPrivateKey(createPrivateKeyPem(drawing(number))).export({ format: 'jwk' })
  t.is(Buffer.from(d ?? '', 'base64url').toString('hex'), number.toString('hex'))
})

test('should say how to recover when the file holds no key', (t) => {
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
  const ed25519 = generateKeyPairSync('ed25519').privateKey
  const wrong = [p384, ed25519].map((key) => key.export({ type: 'pkcs8', format: 'pem' }))
  for (const content of ['', 'rubbish', ...wrong]) {
    try {
      new SessionKeys(content)
      t.fail('it was accepted')
    } catch (error) {
      t.is(error instanceof Error && 'code' in error && error.code, 'HOME_UNUSABLE')
      t.ok(/remove it/.test(String(error)))
    }
  }
})
