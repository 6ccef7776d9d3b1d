import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { validateMessage } from '../../../helpers/protocol/json-message.js'
import type {
  AnyStreamMethod,
  AnyUnaryMethod,
  ChunkOf,
  EndOf,
  RequestOf,
  ResponseOf,
} from '../../../helpers/protocol/method.js'
import type { RequestContext } from './request-context.js'

/** Answers a unary method. */
export type UnaryHandler<M extends AnyUnaryMethod> = (
  request: RequestOf<M>,
  context: RequestContext,
) => Promise<ResponseOf<M>>

/**
 * Answers a stream method. A chunk is requested only when the caller has room for it. The return
 * value is the end of the stream.
 */
export type StreamHandler<M extends AnyStreamMethod> = (
  request: RequestOf<M>,
  context: RequestContext,
) => AsyncGenerator<ChunkOf<M>, EndOf<M>, void>

/** A unary method with its handler, without their types. */
export interface BoundUnary {
  readonly method: AnyUnaryMethod
  /** Checks the caller and the request, then answers. */
  answer(body: unknown, context: RequestContext): Promise<unknown>
}

/** A stream method with its handler, without their types. */
export interface BoundStream {
  readonly method: AnyStreamMethod
  /** Checks the caller and the request, then answers. */
  answer(body: unknown, context: RequestContext): AsyncGenerator<unknown, unknown, void>
}

/**
 * The methods that one worker answers. They are added before the worker listens. Counts the requests that are being
 * answered, so that a worker can finish them before it leaves.
 */
export class Service {
  readonly #unary = new Map<string, BoundUnary>()
  readonly #streams = new Map<string, BoundStream>()
  #underWay = 0
  #whenIdle: (() => void) | null = null
  #isDraining = false

  /** Answers a unary method with `handler`. */
  unary<M extends AnyUnaryMethod>(method: M, handler: UnaryHandler<M>): this {
    this.#unary.set(method.name, {
      method,
      answer: async (body, context) => {
        const request = this.#admit(method, body, context)
        this.#underWay += 1
        try {
          return await handler(request, context)
        } finally {
          this.#leave()
        }
      },
    })
    return this
  }

  /** Answers a stream method with `handler`. */
  stream<M extends AnyStreamMethod>(method: M, handler: StreamHandler<M>): this {
    const service = this
    this.#streams.set(method.name, {
      method,
      answer: async function* (body, context) {
        const request = service.#admit(method, body, context)
        service.#underWay += 1
        try {
          return yield* handler(request, context)
        } finally {
          service.#leave()
        }
      },
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

  /**
   * From now on refuses new work with DRAINING, apart from questions about the worker itself.
   *
   * @returns resolves when no request is in progress any more
   */
  async drain(): Promise<void> {
    this.#isDraining = true
    if (this.#underWay === 0) return
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve
    })
  }

  #leave(): void {
    this.#underWay -= 1
    if (this.#underWay === 0) this.#whenIdle?.()
  }

  /** @throws StarlingError FORBIDDEN, DRAINING, INVALID_REQUEST */
  #admit<M extends AnyUnaryMethod | AnyStreamMethod>(
    method: M,
    body: unknown,
    { peer }: RequestContext,
  ): RequestOf<M> {
    if (!method.callers.some((role) => peer.certificate.roles.includes(role))) {
      throw new StarlingError(
        'FORBIDDEN',
        `${method.name} is for ${method.callers.join(', ')}; ` +
          `${peer.certificate.name} is ${peer.certificate.roles.join(', ')}`,
      )
    }
    if (this.#isDraining && method.whileDraining !== true) {
      throw new StarlingError('DRAINING', 'The worker is leaving and takes no new work')
    }
    return validateMessage(body, method.request, `the ${method.name} request`) as RequestOf<M>
  }
}
