import { ERROR_CODES, type ErrorCode } from '../../../helpers/errors/error-codes.js'
import { toPeerError } from '../../../helpers/errors/peer-error.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { RequestOrigin } from '../../../helpers/protocol/envelope.js'
import type { AnyStreamMethod, AnyUnaryMethod } from '../../../helpers/protocol/method.js'
import type { Clock } from '../../clock/clock.js'

/** How a request ended: with its answer, or with an error. */
export type Outcome = 'OK' | ErrorCode

/** Replaces the name of a stream method that this worker does not answer: a peer can choose any name. */
export const UNKNOWN_METHOD_NAME = 'unknown'

/** A request that has ended, as seen by the worker that answered it. It contains nothing of the request or the answer. */
export interface EndedRequest {
  readonly kind: 'unary' | 'stream'
  /** A name from the protocol tables, or {@link UNKNOWN_METHOD_NAME}. */
  readonly method: string
  /** Other workers send it periodically. */
  readonly isPoll: boolean
  readonly code: Outcome
  /** From its arrival to its answer, in milliseconds. */
  readonly durationMs: number
  /** Undefined when the request could not be read. */
  readonly requestId: string | undefined
  /** The name in the caller's certificate. */
  readonly peer: string
  /** Chunks that were sent, such as the tokens of an answer; 0 for a unary call. */
  readonly chunks: number
  /** From its arrival to its first chunk, in milliseconds; undefined when there was none. */
  readonly firstChunkMs: number | undefined
  /** The error message, if the caller got a shorter one because it contains paths or addresses. */
  readonly reason?: string
}

/** Observes the requests that a worker answers. */
export interface RequestObserver {
  onRequestBegun?(kind: EndedRequest['kind']): void
  /** Called once for each request that has begun. */
  onRequestEnded?(request: EndedRequest): void
  /** A handler failed with an error that is not a StarlingError. The caller gets INTERNAL. */
  onInternalError?(error: unknown, origin: RequestOrigin): void
}

/** Follows one request from its arrival to its end for an observer. */
export class ObservedRequest {
  readonly #observer: RequestObserver
  readonly #clock: Clock
  readonly #kind: EndedRequest['kind']
  readonly #peer: string
  readonly #startedAt: number
  #method: AnyUnaryMethod | AnyStreamMethod | undefined
  #chunks = 0
  #firstChunkMs: number | undefined
  #code: Outcome = 'OK'
  #reason: string | undefined
  #origin: RequestOrigin | undefined

  constructor(
    observer: RequestObserver,
    options: { clock: Clock; kind: EndedRequest['kind']; peer: string },
  ) {
    this.#observer = observer
    this.#clock = options.clock
    this.#kind = options.kind
    this.#peer = options.peer
    this.#startedAt = options.clock.monotonic()
    observer.onRequestBegun?.(options.kind)
  }

  /** The origin of the request; undefined until it was read. */
  get origin(): RequestOrigin | undefined {
    return this.#origin
  }

  reads(origin: RequestOrigin): void {
    this.#origin = origin
  }

  /** The request is for one of this worker's own methods. */
  asks(method: AnyUnaryMethod | AnyStreamMethod): void {
    this.#method = method
  }

  /** A message of this many chunks was sent. */
  chunks(count: number): void {
    this.#chunks += count
    this.#firstChunkMs ??= this.#clock.monotonic() - this.#startedAt
  }

  fail(error: unknown): void {
    if (error instanceof StarlingError) {
      this.#code = error.code
      if (isForOperator(error)) this.#reason = error.message
      return
    }
    this.#code = 'INTERNAL'
    if (this.#origin !== undefined) this.#observer.onInternalError?.(error, this.#origin)
  }

  end(): void {
    this.#observer.onRequestEnded?.({
      kind: this.#kind,
      method: this.#method?.name ?? UNKNOWN_METHOD_NAME,
      isPoll: this.#method?.isPoll === true,
      code: this.#code,
      durationMs: this.#clock.monotonic() - this.#startedAt,
      requestId: this.#origin?.requestId,
      peer: this.#peer,
      chunks: this.#chunks,
      firstChunkMs: this.#firstChunkMs,
      ...(this.#reason !== undefined && { reason: this.#reason }),
    })
  }
}

/**
 * Whether the message that the caller gets lacks details that the operator needs. Errors that the caller
 * caused are excluded: their messages may quote the request, which must not be logged.
 */
function isForOperator(error: StarlingError): boolean {
  const { httpStatus } = ERROR_CODES[error.code]
  const isCallersFault = httpStatus < 500 || error.code === 'NOT_SUPPORTED'
  if (error.isFromPeer || (isCallersFault && error.code !== 'MODEL_NOT_FOUND')) return false
  return toPeerError(error).message !== error.message
}
