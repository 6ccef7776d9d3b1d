import { StarlingError } from '../../helpers/errors/starling-error.js'
import { validateMessage } from '../../helpers/protocol/json-message.js'
import type {
  AnyStreamMethod,
  AnyUnaryMethod,
  ChunkOf,
  EndOf,
  RequestOf,
  ResponseOf,
} from '../../helpers/protocol/method.js'
import type { ProvedPeer } from './hello.js'
import type { RequestContext } from './request-context.js'

/** Answers a unary method. */
export type UnaryHandler<M extends AnyUnaryMethod> = (
  request: RequestOf<M>,
  context: RequestContext,
) => Promise<ResponseOf<M>>

/**
 * Answers a stream method. A chunk is asked for only when the caller has room for it; the return
 * value ends the stream.
 */
export type StreamHandler<M extends AnyStreamMethod> = (
  request: RequestOf<M>,
  context: RequestContext,
) => AsyncGenerator<ChunkOf<M>, EndOf<M>, void>

/** A unary method with a handler, its types closed over. */
export interface BoundUnary {
  readonly method: AnyUnaryMethod
  /** Checks who calls and what with, then answers. */
  answer(body: unknown, context: RequestContext): Promise<unknown>
}

/** A stream method with a handler, its types closed over. */
export interface BoundStream {
  readonly method: AnyStreamMethod
  /** Checks who calls and what with, then answers. */
  answer(body: unknown, context: RequestContext): AsyncGenerator<unknown, unknown, void>
}

/** The methods that one worker answers. Filled before the worker listens. */
export class Service {
  readonly #unary = new Map<string, BoundUnary>()
  readonly #streams = new Map<string, BoundStream>()

  /** Answers a unary method with `handler`. */
  unary<M extends AnyUnaryMethod>(method: M, handler: UnaryHandler<M>): this {
    this.#unary.set(method.name, {
      method,
      answer: async (body, context) => handler(admit(method, body, context.peer), context),
    })
    return this
  }

  /** Answers a stream method with `handler`. */
  stream<M extends AnyStreamMethod>(method: M, handler: StreamHandler<M>): this {
    this.#streams.set(method.name, {
      method,
      answer: (body, context) => handler(admit(method, body, context.peer), context),
    })
    return this
  }

  /** Every unary method that is answered. */
  get unaryMethods(): Iterable<BoundUnary> {
    return this.#unary.values()
  }

  /** The stream method of that name. @throws StarlingError UNKNOWN_METHOD */
  streamNamed(name: string): BoundStream {
    const bound = this.#streams.get(name)
    if (bound === undefined) {
      throw new StarlingError('UNKNOWN_METHOD', `This worker does not answer ${name.slice(0, 100)}`)
    }
    return bound
  }
}

/** @throws StarlingError FORBIDDEN, INVALID_REQUEST */
function admit<M extends AnyUnaryMethod | AnyStreamMethod>(
  method: M,
  body: unknown,
  peer: ProvedPeer,
): RequestOf<M> {
  if (!method.callers.some((role) => peer.certificate.roles.includes(role))) {
    throw new StarlingError(
      'FORBIDDEN',
      `${method.name} is for ${method.callers.join(', ')}; ` +
        `${peer.certificate.name} is ${peer.certificate.roles.join(', ')}`,
    )
  }
  return validateMessage(body, method.request, `the ${method.name} request`) as RequestOf<M>
}
