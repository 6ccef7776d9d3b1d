import { isSignedBy, sign } from './signature.js'

const PURPOSE = 'starling/hello/1'

/** The encrypted session of a hello, as both of its ends see it. */
export interface Session {
  /** The hash of the Noise handshake: the same at both ends, and different in each session. */
  readonly handshakeHash: Uint8Array
  readonly initiatorPublicKey: Uint8Array
  readonly responderPublicKey: Uint8Array
}

/** One end of a session. */
export type SessionSide = 'initiator' | 'responder'

/**
 * Proves that the sender holds the secret key of its certificate. The proof is bound to the handshake hash, both
 * Noise keys and the side, so it is invalid in another session, and when it is sent back to its sender.
 */
export function createHelloProof(
  session: Session,
  side: SessionSide,
  secretKey: Uint8Array,
): Uint8Array {
  return sign(PURPOSE, statement(session, side), secretKey)
}

/** Whether the proof was made with the key of that side, for this session. */
export function isHelloProof(proof: Uint8Array, session: Session, side: SessionSide): boolean {
  const publicKey = side === 'initiator' ? session.initiatorPublicKey : session.responderPublicKey
  return isSignedBy(publicKey, PURPOSE, statement(session, side), proof)
}

function statement(session: Session, side: SessionSide): Uint8Array {
  return Buffer.concat([
    Buffer.from(side === 'initiator' ? 'I' : 'R'),
    session.initiatorPublicKey,
    session.responderPublicKey,
    session.handshakeHash,
  ])
}
