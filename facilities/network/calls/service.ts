import { setMaxListeners } from 'node:events'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { EncodedChunk } from '../../../helpers/protocol/chunk-codec.js'
import { validateMessage } from '../../../helpers/protocol/json-message.js'
import type {
  AnyStreamMethod,
  AnyUnaryMethod,
  ChunkOf,
  EndOf,
  HeadOf,
  InputOf,
  RequestOf,
  ResponseOf,
} from '../../../helpers/protocol/method.js'
import type { RequestContext, StreamContext } from './request-context.js'

/** Answers a unary method. */
export type UnaryHandler<M extends AnyUnaryMethod> = (
  request: RequestOf<M>,
  context: RequestContext,
) => Promise<ResponseOf<M>>

/**
 * The chunks of an answer. One is requested only when the caller has room for it. The return value is the end of the
 * stream. A message that another worker sent is passed on as it came: {@link EncodedChunk}.
 */
export type AnswerChunks<M extends AnyStreamMethod> = AsyncGenerator<
  ChunkOf<M> | EncodedChunk,
  EndOf<M>,
  void
>

/**
 * Answers a stream method. For one with a head, the promise resolves when the head is known, which is sent at once.
 * Its chunks are requested even if the caller has left by then, so that their `finally` runs.
 */
export type StreamHandler<M extends AnyStreamMethod> = [HeadOf<M>] extends [undefined]
  ? (request: RequestOf<M>, context: StreamContext<InputOf<M>>) => AnswerChunks<M>
  : (
      request: RequestOf<M>,
      context: StreamContext<InputOf<M>>,
    ) => Promise<{ readonly head: HeadOf<M>; readonly chunks: AnswerChunks<M> }>

/**
 * Verifies a caller without a suitable role by a credential or a ticket in its request.
 *
 * @param request as the schema of its method describes it
 * @throws StarlingError FORBIDDEN, INVALID_CREDENTIAL, AUTH_UNAVAILABLE
 */
export type Verifier = (request: unknown, context: RequestContext) => Promise<void>

/** A unary method with its handler, without their types. */
export interface BoundUnary {
  readonly method: AnyUnaryMethod
  /** Checks the caller and the request, then answers. */
  answer(body: unknown, context: RequestContext): Promise<unknown>
}

/** An answer that has begun. */
export interface BegunAnswer {
  /** Undefined for a method without one. */
  readonly head: unknown
  readonly chunks: AsyncGenerator<unknown, unknown, void>
  /** To be called once, when the handler has ended. */
  ended(): void
}

/** A stream method with its handler, without their types. */
export interface BoundStream {
  readonly method: AnyStreamMethod
  /** Checks the caller and the request, then begins to answer. */
  answer(body: unknown, context: StreamContext<unknown>): Promise<BegunAnswer>
}

/**
 * The methods that one worker answers. They are added before the worker listens. Counts the requests that are being
 * answered, so that a worker can finish them before it leaves.
 */
export class Service {
  readonly #unary = new Map<string, BoundUnary>()
  readonly #streams = new Map<string, BoundStream>()
  readonly #verifiers = new Map<string, Verifier>()
  readonly #leaving = new AbortController()
  #underWay = 0
  #whenIdle: (() => void) | null = null

  constructor() {
    // One listener for each lasting stream; streams have their own limit.
    setMaxListeners(0, this.#leaving.signal)
  }

  /** Answers a unary method with `handler`. */
  unary<M extends AnyUnaryMethod>(method: M, handler: UnaryHandler<M>): this {
    this.#unary.set(method.name, {
      method,
      answer: async (body, context) => {
        const { request, verify } = this.#admit(method, body, context)
        this.#underWay += 1
        try {
          if (verify !== undefined) await verify(request, context)
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
    const begin = handler as (
      request: RequestOf<M>,
      context: StreamContext<unknown>,
    ) => AnswerChunks<M> | Promise<{ head: unknown; chunks: AnswerChunks<M> }>
    // A worker that leaves ends lasting streams instead of waiting for them.
    const counted = method.timeoutMs === 'lasting' ? 0 : 1
    this.#streams.set(method.name, {
      method,
      answer: async (body, context) => {
        const { request, verify } = this.#admit(method, body, context)
        this.#underWay += counted
        const ended = () => this.#leave(counted)
        try {
          if (verify !== undefined) await verify(request, context)
          const begun = begin(request, context)
          if (!(begun instanceof Promise)) return { head: undefined, chunks: begun, ended }
          return { ...(await begun), ended }
        } catch (error) {
          ended()
          throw error
        }
      },
    })
    return this
  }

  /** Verifies callers for the methods whose policy names this verifier. Without one, only their roles count. */
  verifier(name: string, verify: Verifier): this {
    this.#verifiers.set(name, verify)
    return this
  }

  /** Every unary method that is answered. */
  get unaryMethods(): Iterable<BoundUnary> {
    return this.#unary.values()
  }

  /** Aborted with DRAINING when the worker begins to leave. */
  get leaving(): AbortSignal {
    return this.#leaving.signal
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
   * From now on refuses new work with DRAINING, apart from questions about the worker itself, and ends lasting streams.
   *
   * @returns resolves when no other request is in progress any more
   */
  async drain(): Promise<void> {
    this.#leaving.abort(drainingError('ends its lasting streams'))
    if (this.#underWay === 0) return
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve
    })
  }

  #leave(counted = 1): void {
    this.#underWay -= counted
    if (this.#underWay === 0) this.#whenIdle?.()
  }

  /**
   * @returns the request, and what must accept it before it is answered
   * @throws StarlingError FORBIDDEN, DRAINING, INVALID_REQUEST
   */
  #admit<M extends AnyUnaryMethod | AnyStreamMethod>(
    method: M,
    body: unknown,
    { peer: { certificate } }: RequestContext,
  ): { readonly request: RequestOf<M>; readonly verify: Verifier | undefined } {
    const { roles, verifier } = method.callers
    const hasRole = roles === 'any' || roles.some((role) => certificate.roles.includes(role))
    const verify = hasRole || verifier === undefined ? undefined : this.#verifiers.get(verifier)
    if (!hasRole && verify === undefined) {
      throw new StarlingError(
        'FORBIDDEN',
        `${method.name} is for ${roles.join(', ')}; ` +
          `${certificate.name} is ${certificate.roles.join(', ')}`,
      )
    }
    if (this.leaving.aborted && method.whileDraining !== true) {
      throw drainingError('takes no new work')
    }
    const request = validateMessage(body, method.request, `the ${method.name} request`)
    return { request: request as RequestOf<M>, verify }
  }
}

function drainingError(what: string): StarlingError {
  return new StarlingError('DRAINING', `The worker is leaving and ${what}`)
}
