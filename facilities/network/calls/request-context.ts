import { createId } from '../../../helpers/identity/id.js'
import type { PeerIdentity } from '../../../helpers/identity/identity.js'
import type { RequestOrigin } from '../../../helpers/protocol/envelope.js'
import type { AnyStreamMethod, InputOf } from '../../../helpers/protocol/method.js'
import type { Clock } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'

/** What a handler knows about a request besides its body. Pass it on to further calls. */
export interface RequestContext extends RequestOrigin {
  /** Aborted when the caller cancels, is lost, or has no time left. */
  readonly signal: AbortSignal
  /** Milliseconds for which the caller still waits; Infinity for a lasting stream. */
  remainingMs(): number
  /** The caller. */
  readonly peer: PeerIdentity
}

/** What the handler of a stream knows about its request. */
export interface StreamContext<Input> extends RequestContext {
  /**
   * What the caller sends, for a method with input; otherwise nothing. To be read once. Reading it lets the caller
   * send more. It throws INVALID_REQUEST if a chunk is malformed, and the reason of the signal.
   */
  readonly input: AsyncGenerator<Input, void, void>
}

/** Options of a call. */
export interface CallOptions {
  readonly origin: RequestOrigin
  /** Aborting it cancels the call. */
  readonly signal?: AbortSignal
  /** Milliseconds; the method's own timeout when left out, and never more than that. */
  readonly timeoutMs?: number
}

/** Options of a call of a stream method. */
export interface StreamOptions<M extends AnyStreamMethod> extends CallOptions {
  /** What is sent to the other end, for a method with input. Closed when the stream ends. Default: nothing. */
  readonly input?: AsyncIterable<InputOf<M>>
}

/** The origin of a new request. */
export function createOrigin(clock: Clock, random: Random): RequestOrigin {
  const hex = (sizeBytes: number) => Buffer.from(random.bytes(sizeBytes)).toString('hex')
  return {
    requestId: createId('req', clock.now(), () => random.fraction()),
    // Version 00, trace id, span id, sampled: https://www.w3.org/TR/trace-context/#traceparent-header
    traceparent: `00-${hex(16)}-${hex(8)}-01`,
  }
}

/** The options of a call that is made on behalf of a request that is being handled. */
export function onBehalfOf(context: RequestContext): CallOptions {
  return { origin: context, signal: context.signal, timeoutMs: context.remainingMs() }
}
