import type { Test } from 'brittle'
import Protomux from 'protomux'
import { exchangeHello } from '../../../facilities/network/trust/hello.js'
import type { SignedCertificate } from '../../../helpers/identity/certificate.js'
import type { Identity } from '../../../helpers/identity/identity.js'
import type { KeyPair } from '../../../helpers/identity/key-pair.js'
import { VirtualClock } from '../clock/virtual-clock.js'
import { HelloSpeaker } from './hello-speaker.js'
import { MeshAuthority, newKeyPair } from './mesh-authority.js'
import { type PipedStreams, pipeOpenStreams } from './piped-streams.js'

/** How long the side under test waits for a complete hello. */
export const HELLO_TIMEOUT_MS = 500

/** What {@link helloScene} sets. */
export interface HelloScene {
  readonly clock: VirtualClock
  readonly authority: MeshAuthority
  readonly piped: PipedStreams
  /** The other side, driven by hand. */
  readonly speaker: HelloSpeaker
  readonly speakerKey: KeyPair
  readonly genuine: SignedCertificate
  /** The outcome of the hello on the side under test. */
  readonly outcome: Promise<unknown>
  readonly identity: Identity
}

/** A gateway that awaits a hello, and a peer that sends it by hand. */
export async function helloScene(t: Test): Promise<HelloScene> {
  const clock = new VirtualClock()
  const authority = new MeshAuthority(clock)
  const identity = authority.identity('gateway')
  const speakerKey = newKeyPair()
  const piped = await pipeOpenStreams({ initiator: speakerKey, responder: identity.keyPair })
  t.teardown(() => piped.initiator.destroy())
  const outcome = exchangeHello(new Protomux(piped.responder), identity, {
    clock,
    timeoutMs: HELLO_TIMEOUT_MS,
  })
  outcome.catch(() => {})
  const { membershipKey } = authority
  const speaker = new HelloSpeaker(piped.initiator, { membershipKey })
  const genuine = authority.certify(speakerKey, ['client'])
  return { clock, authority, piped, speaker, speakerKey, genuine, outcome, identity }
}
