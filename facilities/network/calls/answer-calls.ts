import { toPeerError } from '../../../helpers/errors/peer-error.js'
import type { PeerIdentity } from '../../../helpers/identity/identity.js'
import { unaryRequestSchema } from '../../../helpers/protocol/envelope.js'
import { decodeMessage, encodeMessage } from '../../../helpers/protocol/json-message.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import type { Clock } from '../../clock/clock.js'
import { Deadline } from '../../clock/deadline.js'
import type { Refusal } from '../limits/refusal-delays.js'
import { ObservedRequest, type RequestObserver } from '../watch/request-observer.js'
import type { RequestContext } from './request-context.js'
import type { BoundUnary } from './service.js'

/** The part of a connection that a unary call needs. */
export interface CallHost {
  readonly clock: Clock
  readonly peer: PeerIdentity
  /** Aborted when the connection is lost. */
  readonly signal: AbortSignal
  readonly observer: RequestObserver
  /**
   * Takes a place for a call.
   *
   * @param bytes the request
   * @returns gives the place back
   * @throws StarlingError OVERLOADED when the peer, or all peers together, have reached their limit
   */
  admit(bytes: Uint8Array): () => void
  /** Resolves when the answer to a request that failed may be sent. See refusal-delays.ts. */
  holdRefusal(refusal: Refusal): Promise<void>
}

/**
 * Answers one unary call. Never rejects: the RPC library would send the message of the error to the peer, with its
 * paths. A failure is answered in our own envelope.
 *
 * @returns the bytes of the response
 */
export async function answerCall(
  bound: BoundUnary,
  bytes: Uint8Array,
  host: CallHost,
): Promise<Uint8Array> {
  const what = `the ${bound.method.name} request`
  const { clock, peer } = host
  const observed = new ObservedRequest(host.observer, {
    clock,
    kind: 'unary',
    peer: peer.certificate.name,
  })
  observed.asks(bound.method)
  let deadline: Deadline | undefined
  let leave: (() => void) | undefined
  try {
    const request = decodeMessage(bytes, unaryRequestSchema, PROTOCOL_LIMITS.unaryBytes, what)
    observed.reads(request.header)
    leave = host.admit(bytes)
    const { requestId, traceparent, remainingMs } = request.header
    const due = new Deadline(clock, Math.min(remainingMs, bound.method.timeoutMs), host.signal)
    deadline = due
    const context: RequestContext = {
      requestId,
      traceparent,
      peer,
      remainingMs: () => due.remainingMs(),
      get signal() {
        return due.signal
      },
    }
    const body = await due.race(bound.answer(request.body, context))
    return encodeMessage({ body }, PROTOCOL_LIMITS.unaryBytes, `the ${bound.method.name} response`)
  } catch (error) {
    observed.fail(error)
    // The deadline begins when the request has its place.
    const remainingMs = deadline?.remainingMs()
    await host.holdRefusal({ error, signal: host.signal, remainingMs })
    return encodeMessage(
      { error: toPeerError(error, observed.origin?.requestId) },
      PROTOCOL_LIMITS.unaryBytes,
      'the error of a call',
    )
  } finally {
    deadline?.dispose()
    leave?.()
    observed.end()
  }
}
