import test from 'brittle'
import sinon from 'sinon'
import sodium from 'sodium-native'
import { PasswordHasher } from '../../../../workers/auth/passwords.js'

/** As little as libsodium admits: what is tested here is not how costly a hash is. */
const CHEAP = { passes: 1, memoryBytes: 8192 }
const REQUEST = { owner: ['gateway', 'client'] }

test('should hash with Argon2id, 19 MiB and two passes by default', async (t) => {
  const hash = await new PasswordHasher().hash('correct horse', REQUEST)
  t.ok(hash.startsWith('$argon2id$v=19$m=19456,t=2,p=1$'), hash)
})

test('should recognise a password when it is the one that was hashed', async (t) => {
  const passwords = new PasswordHasher(CHEAP)
  const hash = await passwords.hash('correct horse', REQUEST)
  t.ok(await passwords.verify('correct horse', hash, REQUEST))
  t.absent(await passwords.verify('correct horsf', hash, REQUEST))
  t.absent(hash.includes('\0'))
})

test('should salt each hash when the password is the same', async (t) => {
  const passwords = new PasswordHasher(CHEAP)
  t.not(
    await passwords.hash('correct horse', REQUEST),
    await passwords.hash('correct horse', REQUEST),
  )
})

test('should recognise a password when a keyboard composes its letters differently', async (t) => {
  const passwords = new PasswordHasher(CHEAP)
  t.ok(
    await passwords.verify(
      'cafe\u0301 cafe',
      await passwords.hash('caf\u00e9 cafe', REQUEST),
      REQUEST,
    ),
  )
})

test('should distinguish passwords when they differ after the 72nd byte', async (t) => {
  const passwords = new PasswordHasher(CHEAP)
  const hash = await passwords.hash(`${'x'.repeat(100)}1`, REQUEST)
  t.absent(await passwords.verify(`${'x'.repeat(100)}2`, hash, REQUEST))
})

test('should do the same work when there is no hash to verify', async (t) => {
  const verify = sinon.spy(sodium, 'crypto_pwhash_str_verify_async')
  t.teardown(() => verify.restore())
  const passwords = new PasswordHasher()
  t.absent(await passwords.verify('correct horse', undefined, REQUEST))

  t.is(verify.callCount, 1)
  const nobodys = Buffer.from(verify.firstCall.args[0]).toString('ascii').replace(/\0+$/, '')
  const somebodys = await passwords.hash('correct horse', REQUEST)
  const costOf = (hash: string) => hash.split('$').slice(0, 4).join('$')
  t.is(costOf(nobodys), costOf(somebodys))
  t.is(nobodys.length, somebodys.length)
})

test('should hash no more at once than allowed when many requests arrive', async (t) => {
  let running = 0
  let most = 0
  const slow = async () => {
    running += 1
    most = Math.max(most, running)
    await new Promise((resolve) => setImmediate(resolve))
    running -= 1
  }
  const verify = sinon.stub(sodium, 'crypto_pwhash_str_verify_async').callsFake(async () => {
    await slow()
    return true
  })
  t.teardown(() => verify.restore())
  const hash = sinon.stub(sodium, 'crypto_pwhash_str_async').callsFake(slow)
  t.teardown(() => hash.restore())
  const passwords = new PasswordHasher({ maxConcurrentHashes: 3, maxWaitingHashes: 4 })

  const outcomes = await Promise.allSettled(
    Array.from({ length: 9 }, () => passwords.verify('correct horse', 'a hash', REQUEST)),
  )
  t.is(most, 3)
  t.is(verify.callCount, 7)
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
  t.alike(
    refused.map(({ reason }) => [reason.code, reason.retryAfterMs]),
    [
      ['OVERLOADED', 34],
      ['OVERLOADED', 34],
    ],
  )

  most = 0
  await Promise.all(Array.from({ length: 6 }, () => passwords.hash('correct horse', REQUEST)))
  t.is(most, 2, 'registrations leave a place for a login')
})
