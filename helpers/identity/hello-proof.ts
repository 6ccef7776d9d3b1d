import { isSignedBy, sign } from './signature.js'

const PURPOSE = 'starling/hello/1'

/** The encrypted session that a hello is spoken in, as both of its ends see it. */
export interface Session {
  /** Noise handshake hash: differs for every session, equal at both ends. */
  readonly handshakeHash: Uint8Array
  readonly initiatorPublicKey: Uint8Array
  readonly responderPublicKey: Uint8Array
}

/** Which end of a session somebody is. */
export type SessionSide = 'initiator' | 'responder'

/**
 * Proves, for this one session, that its sender holds the secret key of its certificate. Binding to
 * the handshake hash, both Noise keys and the side makes a proof worthless in any other session, and
 * when it is sent back to the one who made it.
 */
export function createHelloProof(
  session: Session,
  side: SessionSide,
  secretKey: Uint8Array,
): Uint8Array {
  return sign(PURPOSE, statement(session, side), secretKey)
}

/** Whether the proof was made by the key on that side of exactly this session. */
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
