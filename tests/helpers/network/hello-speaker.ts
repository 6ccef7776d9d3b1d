import encodings from 'compact-encoding'
import type HyperDHT from 'hyperdht'
import Protomux from 'protomux'
import type { SignedCertificate } from '../../../helpers/identity/certificate.js'
import {
  createHelloProof,
  type Session,
  type SessionSide,
} from '../../../helpers/identity/hello-proof.js'
import { createMembershipMac } from '../../../helpers/identity/membership-mac.js'
import { createHello } from '../../../helpers/protocol/hello-message.js'

type Kind = 'hello' | 'welcome' | 'refusal'

/** One side of a hello, driven by hand: sends what the test wants, and records what it receives. */
export class HelloSpeaker {
  readonly mux: Protomux
  /** What the other side sent, in order, as JSON. */
  readonly heard: { kind: Kind; value: { code?: string; [field: string]: unknown } }[] = []
  isClosed = false
  readonly #send: Record<Kind, Protomux.Message<Uint8Array>>

  /** The MAC of the other side, once received. */
  heardMac: Uint8Array | undefined

  /**
   * @param options.membershipKey of the mesh that it claims to belong to. Default: it sends a wrong MAC
   * @param options.macOf computes a MAC to send instead
   * @param options.mux must be created in the tick in which the stream opens
   */
  constructor(
    stream: HyperDHT.SecretStream,
    options: {
      membershipKey?: Uint8Array
      macOf?: (speaker: HelloSpeaker) => Uint8Array
      mux?: Protomux
    } = {},
  ) {
    this.mux = options.mux ?? new Protomux(stream)
    const channel = this.mux.createChannel({
      protocol: 'starling/hello',
      handshake: encodings.raw,
      onopen: (mac) => {
        this.heardMac = Buffer.from(mac)
      },
      onclose: () => {
        this.isClosed = true
      },
    })
    if (channel === null) throw new Error('The stream is closed')
    const message = (kind: Kind) =>
      channel.addMessage({
        encoding: encodings.raw,
        onmessage: (bytes) =>
          this.heard.push({ kind, value: JSON.parse(Buffer.from(bytes).toString()) }),
      })
    this.#send = {
      hello: message('hello'),
      welcome: message('welcome'),
      refusal: message('refusal'),
    }
    const key = options.membershipKey ?? Buffer.alloc(32)
    channel.open(options.macOf?.(this) ?? createMembershipMac(key, this.session, this.side))
  }

  get session(): Session {
    const { handshakeHash, publicKey, remotePublicKey, isInitiator } = this.mux.stream
    if (!handshakeHash || !publicKey || !remotePublicKey) throw new Error('Not open')
    return {
      handshakeHash,
      initiatorPublicKey: isInitiator ? publicKey : remotePublicKey,
      responderPublicKey: isInitiator ? remotePublicKey : publicKey,
    }
  }

  get side(): SessionSide {
    return this.mux.stream.isInitiator ? 'initiator' : 'responder'
  }

  /** The hello that an honest peer with that certificate and key would send. */
  honestHello(certificate: SignedCertificate, secretKey: Uint8Array) {
    return createHello(certificate, createHelloProof(this.session, this.side, secretKey))
  }

  say(kind: Kind, value: unknown): void {
    this.#send[kind].send(Buffer.from(JSON.stringify(value)))
  }

  sayBytes(kind: Kind, bytes: Uint8Array): void {
    this.#send[kind].send(bytes)
  }

  /** The error code of its refusal. */
  get refusedWith(): string | undefined {
    return this.heard.find(({ kind }) => kind === 'refusal')?.value.code
  }
}
