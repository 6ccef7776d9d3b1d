import type { z } from 'zod'
import type { CallPolicy } from './call-policy.js'
import type { AnyChunkCodec } from './chunk-codec.js'

/** What all methods have in common. */
interface MethodBase<Request extends z.ZodType> {
  /** Its name on the wire: `role.verb`. */
  readonly name: string
  readonly request: Request
  /** Whether the call may be repeated after its answer was lost. */
  readonly idempotent: boolean
  /** Answered even by a worker that is leaving. Default: false. */
  readonly whileDraining?: boolean
  /** Called periodically by other workers: logged at the debug level. Default: false. */
  readonly isPoll?: boolean
  /** Who may call it. */
  readonly callers: CallPolicy
}

/** One request, one response. */
export interface UnaryMethod<Request extends z.ZodType, Response extends z.ZodType>
  extends MethodBase<Request> {
  readonly kind: 'unary'
  readonly response: Response
  /** The longest time that a caller waits for the response, in milliseconds. */
  readonly timeoutMs: number
}

/** One request, many chunks, one end. */
export interface StreamMethod<
  Request extends z.ZodType,
  Chunks extends AnyChunkCodec,
  End extends z.ZodType,
  Head extends z.ZodType | undefined = undefined,
  Input extends AnyChunkCodec | undefined = undefined,
> extends MethodBase<Request> {
  readonly kind: 'stream'
  /** A message that the answer begins with, before its chunks. Left out: it begins with its first chunk. */
  readonly head?: Head
  readonly chunk: Chunks
  readonly end: End
  /** The chunks that the caller sends. Left out: it sends none. */
  readonly input?: Input
  /**
   * The longest time that a caller waits for the whole answer, in milliseconds. `lasting`: there is no such time,
   * and the stream ends with DRAINING as soon as either worker leaves.
   */
  readonly timeoutMs: number | 'lasting'
}

/** A unary method of any shape. */
export type AnyUnaryMethod = UnaryMethod<z.ZodType, z.ZodType>
/** A stream method of any shape. */
export type AnyStreamMethod = StreamMethod<
  z.ZodType,
  AnyChunkCodec,
  z.ZodType,
  z.ZodType | undefined,
  AnyChunkCodec | undefined
>

/** A request as its caller writes it: fields with a default may be left out. */
export type RequestInput<M extends AnyUnaryMethod | AnyStreamMethod> = z.input<M['request']>
/** A request as its handler receives it. */
export type RequestOf<M extends AnyUnaryMethod | AnyStreamMethod> = z.output<M['request']>
export type ResponseOf<M extends AnyUnaryMethod> = z.output<M['response']>
export type ChunkOf<M extends AnyStreamMethod> = ReturnType<M['chunk']['decode']>[number]
/** What a relay reads of a message of chunks. */
export type StartOf<M extends AnyStreamMethod> = ReturnType<M['chunk']['inspect']>
export type EndOf<M extends AnyStreamMethod> = z.output<M['end']>
/** Undefined for a method without a head. */
export type HeadOf<M extends AnyStreamMethod> = [NonNullable<M['head']>] extends [never]
  ? undefined
  : z.output<NonNullable<M['head']>>
/** Never for a method whose caller sends no chunks. */
export type InputOf<M extends AnyStreamMethod> = [NonNullable<M['input']>] extends [never]
  ? never
  : ReturnType<NonNullable<M['input']>['decode']>[number]

/** Declares a unary method. */
export function unary<Request extends z.ZodType, Response extends z.ZodType>(
  method: Omit<UnaryMethod<Request, Response>, 'kind'>,
): UnaryMethod<Request, Response> {
  return { kind: 'unary', ...method }
}

/** Declares a stream method. */
export function stream<
  Request extends z.ZodType,
  Chunks extends AnyChunkCodec,
  End extends z.ZodType,
  Head extends z.ZodType | undefined = undefined,
  Input extends AnyChunkCodec | undefined = undefined,
>(
  method: Omit<StreamMethod<Request, Chunks, End, Head, Input>, 'kind'>,
): StreamMethod<Request, Chunks, End, Head, Input> {
  return { kind: 'stream', ...method }
}

/** The role that answers a method: `processor`. */
export function answererOf(method: AnyUnaryMethod | AnyStreamMethod): string {
  return method.name.split('.', 1)[0] ?? method.name
}
