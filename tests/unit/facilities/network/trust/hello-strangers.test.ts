import test, { type Test } from 'brittle'
import Protomux from 'protomux'
import { exchangeHello } from '../../../../../facilities/network/trust/hello.js'
import { createMembershipMac } from '../../../../../helpers/identity/membership-mac.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import { HELLO_TIMEOUT_MS, helloScene } from '../../../../helpers/network/hello-scene.js'
import { HelloSpeaker } from '../../../../helpers/network/hello-speaker.js'
import { MeshAuthority, newKeyPair } from '../../../../helpers/network/mesh-authority.js'
import { pipeOpenStreams } from '../../../../helpers/network/piped-streams.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

/**
 * Connects somebody to a gateway and returns all that the gateway tells them.
 *
 * @param macOf what they send as their MAC; null: they send nothing
 */
async function tellings(
  t: Test,
  macOf: ((speaker: HelloSpeaker, authority: MeshAuthority) => Uint8Array) | null,
) {
  const clock = new VirtualClock()
  const authority = new MeshAuthority(clock)
  const identity = authority.identity('gateway')
  const stranger = newKeyPair()
  const piped = await pipeOpenStreams({ initiator: stranger, responder: identity.keyPair })
  t.teardown(() => piped.initiator.destroy())
  const chunks: Buffer[] = []
  piped.initiator.on('data', (bytes: Uint8Array) => chunks.push(Buffer.from(bytes)))
  const options = { clock, timeoutMs: HELLO_TIMEOUT_MS }
  const outcome = exchangeHello(new Protomux(piped.responder), identity, options)
  outcome.catch(() => {})
  if (macOf !== null) {
    const stream = piped.initiator
    const speaker = new HelloSpeaker(stream, { macOf: (one) => macOf(one, authority) })
    // An honest certificate and proof do not make up for the MAC.
    const genuine = authority.certify(stranger, ['client'])
    speaker.say('hello', speaker.honestHello(genuine, stranger.secretKey))
  }
  await settle()
  await clock.advance(HELLO_TIMEOUT_MS)
  const error = Object(await rejectionOf(outcome))
  await settle()
  t.is(clock.pending, 0)
  return { error, told: Buffer.concat(chunks), authority }
}

const WRONG_MACS = {
  'says nothing': null,
  'sends no MAC': () => Buffer.alloc(0),
  'sends a random MAC': () => Buffer.alloc(32, 1),
  'sends a MAC that is too long': ({ session, side }: HelloSpeaker, { membershipKey }) =>
    Buffer.concat([createMembershipMac(membershipKey, session, side), Buffer.alloc(1)]),
  'knows the secret of another mesh': ({ session, side }, { root }) =>
    createMembershipMac(root.publicKey, session, side),
  'sends the MAC of the gateway back': ({ session }, { membershipKey }) =>
    createMembershipMac(membershipKey, session, 'responder'),
  'replays a MAC of another session': ({ session, side }, { membershipKey }) => {
    const earlier = { ...session, handshakeHash: Buffer.alloc(64, 3) }
    return createMembershipMac(membershipKey, earlier, side)
  },
} satisfies Record<string, ((speaker: HelloSpeaker, authority: MeshAuthority) => Uint8Array) | null>

for (const [name, macOf] of Object.entries(WRONG_MACS)) {
  test(`should reveal nothing about itself or the mesh when the peer ${name}`, async (t) => {
    const { error, told, authority } = await tellings(t, macOf)
    t.is(error.code, 'HELLO_FAILED')
    const text = told.toString('latin1')
    for (const secret of [authority.mesh, 'gateway', 'certificate', 'proof', 'refus', 'code']) {
      t.absent(text.includes(secret), secret)
    }
    const other = await tellings(t, macOf)
    t.is(other.told.byteLength, told.byteLength)
    const same = told.filter((byte, index) => byte === other.told[index]).byteLength
    t.ok(told.byteLength - same <= 32, 'two meshes differ in nothing but the MAC')
  })
}

test('should send the certificate only after the MAC of the other end has come', async (t) => {
  const { speaker, speakerKey, genuine } = await helloScene(t)
  t.alike(speaker.heard, [])
  await until('its hello', () => speaker.heard[0])
  t.is(speaker.heardMac?.byteLength, 32)
  t.is(speaker.heard[0]?.kind, 'hello')
  speaker.say('hello', speaker.honestHello(genuine, speakerKey.secretKey))
  await until('its welcome', () => speaker.heard.some(({ kind }) => kind === 'welcome'))
})

test('should know whether the other side is a member as soon as its MAC arrives', async (t) => {
  for (const isMember of [true, false]) {
    const clock = new VirtualClock()
    const authority = new MeshAuthority(clock)
    const identity = authority.identity('client')
    const piped = await pipeOpenStreams({ initiator: identity.keyPair })
    t.teardown(() => piped.initiator.destroy())
    const seen: boolean[] = []
    const hello = exchangeHello(new Protomux(piped.initiator), identity, {
      clock,
      timeoutMs: HELLO_TIMEOUT_MS,
      onMac: (isTheirsRight) => seen.push(isTheirsRight),
    })
    hello.catch(() => {})
    const { membershipKey } = authority
    new HelloSpeaker(piped.responder, isMember ? { membershipKey } : {})
    await until('the MAC', () => seen.length === 1)
    t.alike(seen, [isMember])
  }
})
