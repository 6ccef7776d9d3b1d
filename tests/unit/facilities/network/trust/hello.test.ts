import test, { type Test } from 'brittle'
import Protomux from 'protomux'
import { exchangeHello } from '../../../../../facilities/network/trust/hello.js'
import { createHelloProof } from '../../../../../helpers/identity/hello-proof.js'
import { createHello, PROTOCOL_VERSIONS } from '../../../../../helpers/protocol/hello-message.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import {
  HELLO_TIMEOUT_MS,
  type HelloScene,
  helloScene,
} from '../../../../helpers/network/hello-scene.js'
import { HelloSpeaker } from '../../../../helpers/network/hello-speaker.js'
import { MeshAuthority } from '../../../../helpers/network/mesh-authority.js'
import { pipeOpenStreams } from '../../../../helpers/network/piped-streams.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

const VERSION = PROTOCOL_VERSIONS.highest

/** The end under test refuses with this code, says so, and leaves no timer. */
async function isRefused(t: Test, { outcome, speaker, clock }: HelloScene, code: string) {
  const error = await rejectionOf(outcome)
  t.is(Object(error).code, code, String(error))
  await until('the refusal to be told', () => speaker.refusedWith)
  t.is(speaker.refusedWith, code)
  t.absent(
    speaker.heard.some(({ kind }) => kind === 'welcome'),
    'it was not welcomed',
  )
  t.is(clock.pending, 0)
}

test('should accept each other when both belong to the mesh', async (t) => {
  const clock = new VirtualClock()
  const authority = new MeshAuthority(clock)
  const client = authority.identity('client')
  const gateway = authority.identity('gateway')
  const piped = await pipeOpenStreams({ initiator: client.keyPair, responder: gateway.keyPair })
  t.teardown(() => piped.initiator.destroy())
  const options = { clock, timeoutMs: HELLO_TIMEOUT_MS }
  const [ofClient, ofGateway] = await Promise.all([
    exchangeHello(new Protomux(piped.initiator), client, options),
    exchangeHello(new Protomux(piped.responder), gateway, options),
  ])
  t.alike(ofClient.certificate.roles, ['gateway'])
  t.alike(ofClient.publicKey, gateway.keyPair.publicKey)
  t.alike(ofGateway.certificate.roles, ['client'])
  t.alike(ofGateway.publicKey, client.keyPair.publicKey)
  t.is(ofClient.version, ofGateway.version)
  t.is(clock.pending, 0)
})

test('should accept a hello that was sent by hand when it is valid', async (t) => {
  const { speaker, genuine, speakerKey, outcome } = await helloScene(t)
  speaker.say('hello', speaker.honestHello(genuine, speakerKey.secretKey))
  speaker.say('welcome', { version: VERSION })
  t.is(Object(await outcome).certificate.name, 'client@test')
})

test('should refuse when there is no certificate but garbage', async (t) => {
  const on = await helloScene(t)
  const garbage = { body: Buffer.from('trust me'), signature: Buffer.alloc(64) }
  on.speaker.say('hello', on.speaker.honestHello(garbage, on.speakerKey.secretKey))
  await isRefused(t, on, 'CERTIFICATE_INVALID')
})

test('should refuse when the certificate is of another mesh', async (t) => {
  const on = await helloScene(t)
  const stranger = new MeshAuthority(on.clock).certify(on.speakerKey, ['client'])
  on.speaker.say('hello', on.speaker.honestHello(stranger, on.speakerKey.secretKey))
  await isRefused(t, on, 'CERTIFICATE_INVALID')
})

test('should refuse when the certificate has expired', async (t) => {
  const on = await helloScene(t)
  const old = on.authority.certify(on.speakerKey, ['client'], {
    expiresAt: on.clock.now() - 60_000,
  })
  on.speaker.say('hello', on.speaker.honestHello(old, on.speakerKey.secretKey))
  await isRefused(t, on, 'CERTIFICATE_EXPIRED')
})

test('should refuse when the certificate was copied from another key', async (t) => {
  const on = await helloScene(t)
  const copied = on.authority.identity('auth').certificate()
  on.speaker.say('hello', on.speaker.honestHello(copied, on.speakerKey.secretKey))
  await isRefused(t, on, 'CERTIFICATE_INVALID')
})

test('should refuse when its own hello is reflected', async (t) => {
  const on = await helloScene(t)
  await until('the hello of the gateway', () => on.speaker.heard[0])
  on.speaker.say('hello', on.speaker.heard[0]?.value)
  await isRefused(t, on, 'CERTIFICATE_INVALID')
})

test('should refuse when the proof is of another session or another side', async (t) => {
  for (const change of ['session', 'side'] as const) {
    const on = await helloScene(t)
    const { session } = on.speaker
    const proof =
      change === 'session'
        ? createHelloProof(
            { ...session, handshakeHash: Buffer.alloc(64) },
            'initiator',
            on.speakerKey.secretKey,
          )
        : createHelloProof(session, 'responder', on.speakerKey.secretKey)
    on.speaker.say('hello', createHello(on.genuine, proof))
    await isRefused(t, on, 'CERTIFICATE_INVALID')
  }
})

test('should refuse when the versions have none in common', async (t) => {
  for (const versions of [
    { lowest: VERSION + 1, highest: 9 },
    { lowest: 1, highest: VERSION - 1 },
    { lowest: 5, highest: 1 },
  ]) {
    const on = await helloScene(t)
    const hello = on.speaker.honestHello(on.genuine, on.speakerKey.secretKey)
    on.speaker.say('hello', { ...hello, versions })
    await isRefused(t, on, 'VERSION_UNSUPPORTED')
  }
})

for (const side of ['initiator', 'responder'] as const) {
  test(`should say VERSION_UNSUPPORTED when the other end speaks a later version with another hello, as the ${side}`, async (t) => {
    const clock = new VirtualClock()
    const authority = new MeshAuthority(clock)
    const identity = authority.identity('gateway')
    const piped = await pipeOpenStreams({ [side]: identity.keyPair })
    t.teardown(() => piped.initiator.destroy())
    const outcome = exchangeHello(new Protomux(piped[side]), identity, {
      clock,
      timeoutMs: HELLO_TIMEOUT_MS,
    })
    outcome.catch(() => {})
    const otherSide = side === 'initiator' ? 'responder' : 'initiator'
    const { membershipKey } = authority
    const speaker = new HelloSpeaker(piped[otherSide], { membershipKey })
    const versions = { lowest: VERSION + 1, highest: VERSION + 2, preferred: VERSION + 1 }
    speaker.say('hello', { versions, critical: 'all', documents: [[1], { certificate: null }] })
    const error = Object(await rejectionOf(outcome))
    t.is(error.code, 'VERSION_UNSUPPORTED')
    t.ok(error.message.includes(`${VERSION + 1} to ${VERSION + 2}`), error.message)
    await until('the refusal to be told', () => speaker.refusedWith)
    t.is(speaker.refusedWith, 'VERSION_UNSUPPORTED')
  })
}

test('should ignore what it does not know of a hello and of a certificate when it is not critical', async (t) => {
  const { speaker, speakerKey, authority, outcome } = await helloScene(t)
  const certificate = authority.certifyAnything(speakerKey, {
    roles: ['client', 'librarian'],
    generation: 7,
    critical: ['roles', 'expiresAt'],
  })
  const hello = speaker.honestHello(certificate, speakerKey.secretKey)
  const more = { region: 'attic', critical: ['proof', 'critical'] }
  speaker.say('hello', { ...hello, ...more, certificate: { ...hello.certificate, chain: [] } })
  speaker.say('welcome', { version: VERSION })
  t.alike(Object(await outcome).certificate.roles, ['client', 'librarian'])
})

test('should refuse and name the field when a field of the hello is critical and not known', async (t) => {
  for (const more of [
    { region: 'attic', critical: ['proof', 'region'] },
    { critical: ['region'] },
  ]) {
    const on = await helloScene(t)
    const hello = on.speaker.honestHello(on.genuine, on.speakerKey.secretKey)
    on.speaker.say('hello', { ...hello, ...more })
    await isRefused(t, on, 'PROTOCOL_VIOLATION')
    t.ok(Object(await rejectionOf(on.outcome)).message.includes('region'))
  }
})

test('should refuse and name the field when a field of the certificate is critical and not known', async (t) => {
  const on = await helloScene(t)
  const more = { generation: 7, critical: ['generation'] }
  const certificate = on.authority.certifyAnything(on.speakerKey, more)
  on.speaker.say('hello', on.speaker.honestHello(certificate, on.speakerKey.secretKey))
  await isRefused(t, on, 'CERTIFICATE_INVALID')
  t.ok(Object(await rejectionOf(on.outcome)).message.includes('generation'))
})

test('should refuse when the certificate names roles that none can have', async (t) => {
  const many = (count: number) => Array.from({ length: count }, (_, n) => `r${n}`)
  const wrong: [roles: string[], code: string][] = [
    [['r'.repeat(33)], 'CERTIFICATE_INVALID'],
    [['Client'], 'CERTIFICATE_INVALID'],
    [many(17), 'CERTIFICATE_INVALID'],
    // It does not fit a hello.
    [many(1_000), 'PAYLOAD_TOO_LARGE'],
  ]
  for (const [roles, code] of wrong) {
    const on = await helloScene(t)
    const certificate = on.authority.certifyAnything(on.speakerKey, { roles })
    on.speaker.say('hello', on.speaker.honestHello(certificate, on.speakerKey.secretKey))
    await isRefused(t, on, code)
  }
})

test('should speak the highest common version when the other end knows later ones', async (t) => {
  const { speaker, genuine, speakerKey, outcome } = await helloScene(t)
  const hello = speaker.honestHello(genuine, speakerKey.secretKey)
  speaker.say('hello', { ...hello, versions: { lowest: 1, highest: 7 } })
  speaker.say('welcome', { version: VERSION })
  t.is(Object(await outcome).version, VERSION)
})

test('should refuse when the welcome names a version that was not agreed', async (t) => {
  const { speaker, genuine, speakerKey, outcome } = await helloScene(t)
  speaker.say('hello', speaker.honestHello(genuine, speakerKey.secretKey))
  speaker.say('welcome', { version: VERSION + 1 })
  t.is(Object(await rejectionOf(outcome)).code, 'PROTOCOL_VIOLATION')
})

test('should refuse when a welcome comes without a hello', async (t) => {
  const on = await helloScene(t)
  on.speaker.say('welcome', { version: VERSION })
  await isRefused(t, on, 'PROTOCOL_VIOLATION')
})

test('should refuse when a second hello is said before the welcome', async (t) => {
  const { speaker, genuine, speakerKey, outcome } = await helloScene(t)
  const hello = speaker.honestHello(genuine, speakerKey.secretKey)
  speaker.say('hello', hello)
  speaker.say('hello', hello)
  t.is(Object(await rejectionOf(outcome)).code, 'PROTOCOL_VIOLATION')
})

test('should not care when a hello or a refusal is said after all is done', async (t) => {
  const { speaker, genuine, speakerKey, outcome, piped, clock } = await helloScene(t)
  const hello = speaker.honestHello(genuine, speakerKey.secretKey)
  speaker.say('hello', hello)
  speaker.say('welcome', { version: VERSION })
  speaker.say('hello', hello)
  speaker.say('refusal', { code: 'FORBIDDEN', message: 'no' })
  t.ok(await outcome)
  await clock.advance(10 * HELLO_TIMEOUT_MS)
  t.absent(piped.responder.destroying)
})

test('should refuse when the hello is oversized or malformed', async (t) => {
  const wrong: [Uint8Array, string][] = [
    [Buffer.alloc(4_097, 0x20), 'PAYLOAD_TOO_LARGE'],
    [Buffer.from('not json'), 'INVALID_REQUEST'],
    [Buffer.from('{"admin":true}'), 'INVALID_REQUEST'],
    [Buffer.from([0xff, 0xff]), 'INVALID_REQUEST'],
    [Buffer.alloc(0), 'INVALID_REQUEST'],
  ]
  for (const [bytes, code] of wrong) {
    const on = await helloScene(t)
    on.speaker.sayBytes('hello', bytes)
    await isRefused(t, on, code)
  }
})

test('should give up when nothing is said until the time is over', async (t) => {
  const on = await helloScene(t)
  await on.clock.advance(HELLO_TIMEOUT_MS - 1)
  await settle()
  t.is(on.speaker.refusedWith, undefined)
  await on.clock.advance(1)
  await isRefused(t, on, 'HELLO_FAILED')
})

test('should give up when a hello is never followed by a welcome', async (t) => {
  const { speaker, genuine, speakerKey, outcome, clock } = await helloScene(t)
  speaker.say('hello', speaker.honestHello(genuine, speakerKey.secretKey))
  await until('its welcome', () => speaker.heard.some(({ kind }) => kind === 'welcome'))
  await clock.advance(HELLO_TIMEOUT_MS)
  t.is(Object(await rejectionOf(outcome)).code, 'HELLO_FAILED')
})

test('should fail when the other side closes the connection, or already has', async (t) => {
  const on = await helloScene(t)
  on.piped.initiator.destroy()
  t.is(Object(await rejectionOf(on.outcome)).code, 'HELLO_FAILED')
  t.is(on.clock.pending, 0)
  const again = exchangeHello(new Protomux(on.piped.responder), on.identity, {
    clock: on.clock,
    timeoutMs: HELLO_TIMEOUT_MS,
  })
  t.is(Object(await rejectionOf(again)).code, 'HELLO_FAILED')
  t.is(on.clock.pending, 0)
})

test('should fail with the reason of the other end when it refuses', async (t) => {
  const { speaker, outcome } = await helloScene(t)
  speaker.say('refusal', { code: 'CERTIFICATE_EXPIRED', message: 'your clock' })
  const error = Object(await rejectionOf(outcome))
  t.is(error.code, 'CERTIFICATE_EXPIRED')
  t.is(error.message, 'The other worker refused us: your clock')
})

test('should fail with HELLO_FAILED when the other end refuses with a code of other matters', async (t) => {
  const { speaker, outcome } = await helloScene(t)
  speaker.say('refusal', { code: 'NOT_LOGGED_IN', message: 'Log in again' })
  t.is(Object(await rejectionOf(outcome)).code, 'HELLO_FAILED')
})

test('should fail, and say nothing back, when it is refused with as much as fits a hello', async (t) => {
  const { speaker, outcome, clock } = await helloScene(t)
  speaker.say('refusal', { code: 'x'.repeat(64), message: '€'.repeat(1330) })
  t.is(Object(await rejectionOf(outcome)).code, 'INTERNAL')
  await settle()
  t.is(speaker.refusedWith, undefined)
  t.is(clock.pending, 0)
})

test('should refuse when the reason quotes characters that take six bytes each', async (t) => {
  const on = await helloScene(t)
  const hello = on.speaker.honestHello(on.genuine, on.speakerKey.secretKey)
  on.speaker.say('hello', { ...hello, critical: ['\u0001'.repeat(64)] })
  await isRefused(t, on, 'PROTOCOL_VIOLATION')
})
