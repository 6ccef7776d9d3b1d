import encodings from 'compact-encoding'
import type HyperDHT from 'hyperdht'
import type Protomux from 'protomux'
import type { ErrorCode } from '../../../helpers/errors/error-codes.js'
import { toPeerError } from '../../../helpers/errors/peer-error.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { fromWireError, wireErrorSchema } from '../../../helpers/errors/wire-error.js'
import { verifyCertificate } from '../../../helpers/identity/certificate.js'
import {
  createHelloProof,
  isHelloProof,
  type Session,
} from '../../../helpers/identity/hello-proof.js'
import type { Identity, PeerIdentity } from '../../../helpers/identity/identity.js'
import { createMembershipMac, isMembershipMac } from '../../../helpers/identity/membership-mac.js'
import { createHello, readHello, welcomeSchema } from '../../../helpers/protocol/hello-message.js'
import { decodeMessage, encodeMessage } from '../../../helpers/protocol/json-message.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import type { Clock, Timer } from '../../clock/clock.js'

/** The same in every version of the protocol: ends that speak different ones can say so. */
const PROTOCOL = 'starling/hello'

/** The peer chooses part of the message: at six bytes a character in JSON, it still fits a hello. */
const REFUSAL_CHARACTERS = 512

/** The codes that a hello can be refused with. Any other code becomes HELLO_FAILED. */
const REFUSAL_CODES: readonly ErrorCode[] = [
  'INVALID_REQUEST',
  'PAYLOAD_TOO_LARGE',
  'PROTOCOL_VIOLATION',
  'CERTIFICATE_INVALID',
  'CERTIFICATE_EXPIRED',
  'VERSION_UNSUPPORTED',
  'HELLO_FAILED',
  'OVERLOADED',
  'INTERNAL',
]

/** Options of a hello. */
export interface HelloOptions {
  readonly clock: Clock
  readonly timeoutMs: number
  /**
   * Called when the MAC of the peer has arrived, which strangers cannot compute, or when its time is
   * over.
   */
  readonly onMac?: ((isMember: boolean) => void) | undefined
  /** Called when the peer is authenticated, before it is welcomed; refuses it by throwing. */
  readonly admit?: ((peer: PeerIdentity) => void) | undefined
  /**
   * Called when both ends have accepted each other, while the message that confirms it is being read.
   * What the other end sent together with that message, such as a channel that it opens and closes at
   * once, is read afterwards.
   */
  readonly onAuthenticated?: ((peer: PeerIdentity) => void) | undefined
}

/**
 * Exchanges the hello on a connection that has just opened. Each end first sends a MAC that proves that
 * it knows the mesh secret. An end whose MAC is wrong learns nothing: neither who we are nor why the
 * connection is closed. After the MACs, each end sends its certificate and a proof bound to both Noise
 * keys, and sends `welcome` once it has accepted the other's. Settles when both ends have. On failure a
 * member is sent the reason; the caller of this function destroys the connection.
 *
 * Call it in the same tick in which the multiplexer was made: a channel that the other end opens
 * before ours is there would be rejected.
 *
 * @throws StarlingError CERTIFICATE_INVALID, CERTIFICATE_EXPIRED, VERSION_UNSUPPORTED, PROTOCOL_VIOLATION,
 *   INVALID_REQUEST, PAYLOAD_TOO_LARGE; HELLO_FAILED if the peer is not a member, left, took too long or refused
 *   with a code that a hello does not have; what `admit` threw; or the code that the peer refused with
 */
export function exchangeHello(
  mux: Protomux,
  identity: Identity,
  options: HelloOptions,
): Promise<PeerIdentity> {
  return new Promise((resolve, reject) => {
    new HelloExchange(mux, identity, options, resolve, reject).begin()
  })
}

class HelloExchange {
  readonly #mux: Protomux
  readonly #identity: Identity
  readonly #clock: Clock
  readonly #onMac: (isMember: boolean) => void
  readonly #admit: (peer: PeerIdentity) => void
  readonly #onAuthenticated: (peer: PeerIdentity) => void
  readonly #session: Session
  readonly #resolve: (peer: PeerIdentity) => void
  readonly #reject: (error: unknown) => void
  readonly #timer: Timer
  readonly #channel: Protomux.Channel | null
  readonly #send: Record<'hello' | 'welcome' | 'refusal', Protomux.Message<Uint8Array>> | null
  #settled = false
  #isMember = false
  #peer: PeerIdentity | undefined

  constructor(
    mux: Protomux,
    identity: Identity,
    options: HelloOptions,
    resolve: (peer: PeerIdentity) => void,
    reject: (error: unknown) => void,
  ) {
    this.#mux = mux
    this.#identity = identity
    this.#clock = options.clock
    this.#onMac = options.onMac ?? (() => undefined)
    this.#admit = options.admit ?? (() => undefined)
    this.#onAuthenticated = options.onAuthenticated ?? (() => undefined)
    this.#session = sessionOf(mux.stream)
    this.#resolve = resolve
    this.#reject = reject
    this.#timer = options.clock.schedule(options.timeoutMs, () => {
      if (!this.#isMember) this.#onMac(false)
      this.#fail(
        new StarlingError('HELLO_FAILED', `No complete hello within ${options.timeoutMs} ms`),
      )
    })
    this.#channel = mux.createChannel({
      protocol: PROTOCOL,
      handshake: encodings.raw,
      onopen: (mac) => this.#onOpen(mac),
      onclose: () =>
        this.#fail(new StarlingError('HELLO_FAILED', 'The other worker left during the hello')),
    })
    this.#send =
      this.#channel === null
        ? null
        : {
            hello: this.#message(this.#channel, (bytes) => this.#onHello(bytes)),
            welcome: this.#message(this.#channel, (bytes) => this.#onWelcome(bytes)),
            refusal: this.#message(this.#channel, (bytes) => this.#onRefusal(bytes)),
          }
  }

  begin(): void {
    if (this.#channel === null) {
      this.#fail(new StarlingError('HELLO_FAILED', 'The connection was closed before the hello'))
      return
    }
    const { membershipKey } = this.#identity
    this.#channel.open(createMembershipMac(membershipKey, this.#session, this.#side))
  }

  get #side(): 'initiator' | 'responder' {
    return this.#mux.stream.isInitiator ? 'initiator' : 'responder'
  }

  get #theirSide(): 'initiator' | 'responder' {
    return this.#mux.stream.isInitiator ? 'responder' : 'initiator'
  }

  #message(
    channel: Protomux.Channel,
    handle: (bytes: Uint8Array) => void,
  ): Protomux.Message<Uint8Array> {
    return channel.addMessage({
      encoding: encodings.raw,
      onmessage: (bytes) => {
        if (this.#settled) return
        try {
          handle(bytes)
        } catch (error) {
          this.#fail(error)
        }
      },
    })
  }

  /** Called first: the MAC is sent with the opening of the channel. */
  #onOpen(mac: Uint8Array): void {
    if (this.#settled) return
    const { membershipKey } = this.#identity
    this.#isMember = isMembershipMac(mac, membershipKey, this.#session, this.#theirSide)
    this.#onMac(this.#isMember)
    if (!this.#isMember) {
      this.#fail(new StarlingError('HELLO_FAILED', 'The other end does not belong to this mesh'))
      return
    }
    try {
      this.#sayHello()
    } catch (error) {
      this.#fail(error)
    }
  }

  #sayHello(): void {
    const proof = createHelloProof(this.#session, this.#side, this.#identity.keyPair.secretKey)
    const hello = createHello(this.#identity.certificate(), proof)
    this.#send?.hello.send(encodeMessage(hello, PROTOCOL_LIMITS.helloBytes, 'our hello'))
  }

  #onHello(bytes: Uint8Array): void {
    if (this.#peer) throw new StarlingError('PROTOCOL_VIOLATION', 'A second hello was sent')
    const { version, certificate: signed, proof } = readHello(bytes)
    const publicKey =
      this.#side === 'initiator'
        ? this.#session.responderPublicKey
        : this.#session.initiatorPublicKey
    const certificate = verifyCertificate(signed, {
      mesh: this.#identity.mesh,
      holderPublicKey: publicKey,
      nowMs: this.#clock.now(),
    })
    if (!isHelloProof(proof, this.#session, this.#theirSide)) {
      throw new StarlingError('CERTIFICATE_INVALID', 'The proof does not belong to this session')
    }
    const peer = { publicKey, certificate, version }
    this.#admit(peer)
    this.#peer = peer
    this.#send?.welcome.send(encodeMessage({ version }, PROTOCOL_LIMITS.helloBytes, 'our welcome'))
  }

  #onWelcome(bytes: Uint8Array): void {
    const welcome = decodeMessage(bytes, welcomeSchema, PROTOCOL_LIMITS.helloBytes, 'the welcome')
    if (this.#peer === undefined || welcome.version !== this.#peer.version) {
      throw new StarlingError('PROTOCOL_VIOLATION', 'The welcome does not fit the hellos')
    }
    this.#onAuthenticated(this.#peer)
    this.#settled = true
    this.#timer.cancel()
    this.#resolve(this.#peer)
  }

  #onRefusal(bytes: Uint8Array): void {
    const wire = decodeMessage(bytes, wireErrorSchema, PROTOCOL_LIMITS.helloBytes, 'the refusal')
    const { code, message: reason, retryAfterMs } = fromWireError(wire)
    const message = `The other worker refused us: ${reason}`
    const believed = REFUSAL_CODES.includes(code) ? code : 'HELLO_FAILED'
    const options = { isFromPeer: true, ...(retryAfterMs !== undefined && { retryAfterMs }) }
    this.#fail(new StarlingError(believed, message, options), { tellPeer: false })
  }

  #fail(error: unknown, { tellPeer } = { tellPeer: true }): void {
    if (this.#settled) return
    this.#settled = true
    this.#timer.cancel()
    // First of all: nothing below may keep the caller waiting.
    this.#reject(error)
    if (this.#channel === null || this.#channel.closed) return
    if (tellPeer && this.#isMember) {
      const wire = toPeerError(error)
      const refusal = { ...wire, message: wire.message.slice(0, REFUSAL_CHARACTERS) }
      this.#send?.refusal.send(encodeMessage(refusal, PROTOCOL_LIMITS.helloBytes, 'our refusal'))
    }
    this.#channel.close()
  }
}

function sessionOf(stream: HyperDHT.SecretStream): Session {
  const { handshakeHash, publicKey, remotePublicKey, isInitiator } = stream
  if (handshakeHash === null || publicKey === null || remotePublicKey === null) {
    throw new Error('The hello began before the connection was open')
  }
  return {
    handshakeHash,
    initiatorPublicKey: isInitiator ? publicKey : remotePublicKey,
    responderPublicKey: isInitiator ? remotePublicKey : publicKey,
  }
}
