import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import test, { type Test } from 'brittle'
import type { Random } from '../../../../facilities/clock/random.js'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { CommandRunner } from '../../../../facilities/store/command-runner.js'
import {
  createPrivateKeyPem,
  loadOrCreateSessionKeys,
  SessionKeys,
} from '../../../../workers/auth/session-keys.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { DurableMemory, durableMemoryStore } from '../../../helpers/storage/durable-memory.js'
import { createRecords } from '../../../helpers/storage/local-records.js'

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

/** What a start of auth uses. */
function openCommands(t: Test, memory = new DurableMemory()) {
  const store = durableMemoryStore(memory)
  const records = createRecords(store)
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  return { memory, commands: new CommandRunner({ records, clock: new VirtualClock() }) }
}

test('should keep the keys that were created first, also after a power cut', async (t) => {
  const random = new SystemRandom()
  const { memory, commands } = openCommands(t)
  const all = await Promise.all([1, 2, 3].map(() => loadOrCreateSessionKeys(commands, random)))
  const [first] = all
  t.alike(
    all.map(({ keyId }) => keyId),
    all.map(() => first?.keyId),
  )
  const after = openCommands(t, memory.afterPowerCut())
  t.is((await loadOrCreateSessionKeys(after.commands, random)).keyId, first?.keyId)
})

test('should keep the key of an earlier version, and store none that is damaged', async (t) => {
  const random = new SystemRandom()
  const earlier = createPrivateKeyPem(random)
  const { commands } = openCommands(t)
  await t.exception(loadOrCreateSessionKeys(commands, random, 'rubbish'), { code: 'HOME_UNUSABLE' })
  const keys = await loadOrCreateSessionKeys(commands, random, earlier)
  t.is(keys.keyId, new SessionKeys(earlier).keyId)
  const again = await loadOrCreateSessionKeys(commands, random, createPrivateKeyPem(random))
  t.is(again.keyId, keys.keyId)
})
