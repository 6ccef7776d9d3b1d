import test from 'brittle'
import { keyPairFromSeed } from '../../../../helpers/identity/key-pair.js'
import { isSignedBy, sign } from '../../../../helpers/identity/signature.js'

const pair = keyPairFromSeed(Buffer.alloc(32, 1))
const message = Buffer.from('what is signed')

test('should give the same key pair when the seed is the same', (t) => {
  t.alike(keyPairFromSeed(Buffer.alloc(32, 1)), pair)
  t.unlike(keyPairFromSeed(Buffer.alloc(32, 2)).publicKey, pair.publicKey)
  t.is(pair.publicKey.byteLength, 32)
  t.is(pair.secretKey.byteLength, 64)
})

test('should accept a signature when key, purpose and message are its own', (t) => {
  const signature = sign('starling/one/1', message, pair.secretKey)
  t.is(signature.byteLength, 64)
  t.ok(isSignedBy(pair.publicKey, 'starling/one/1', message, signature))
})

test('should refuse a signature when key, purpose or message is another', (t) => {
  const signature = sign('starling/one/1', message, pair.secretKey)
  const other = keyPairFromSeed(Buffer.alloc(32, 2))
  t.absent(isSignedBy(other.publicKey, 'starling/one/1', message, signature))
  t.absent(isSignedBy(pair.publicKey, 'starling/one/2', message, signature))
  t.absent(isSignedBy(pair.publicKey, 'starling/one/1', Buffer.from('another'), signature))
})

test('should refuse a signature when purpose and message are cut at another place', (t) => {
  const signature = sign('starling/one/1', Buffer.from('2 tokens'), pair.secretKey)
  t.absent(isSignedBy(pair.publicKey, 'starling/one/12', Buffer.from(' tokens'), signature))
})

test('should refuse rather than throw when sizes are wrong', (t) => {
  const signature = sign('starling/one/1', message, pair.secretKey)
  t.absent(isSignedBy(pair.publicKey.subarray(1), 'starling/one/1', message, signature))
  t.absent(isSignedBy(pair.publicKey, 'starling/one/1', message, signature.subarray(1)))
  t.absent(isSignedBy(new Uint8Array(0), 'starling/one/1', message, new Uint8Array(0)))
})
