import type { z } from 'zod'
import type { Role } from '../identity/roles.js'

/** What all methods have in common. */
interface MethodBase<Request extends z.ZodType> {
  /** Its name on the wire: `role.verb`. */
  readonly name: string
  readonly request: Request
  /** The longest time that a caller waits for the whole answer, in milliseconds. */
  readonly timeoutMs: number
  /** Whether the call may be repeated after its answer was lost. */
  readonly idempotent: boolean
  /** Answered even by a worker that is leaving. Default: false. */
  readonly whileDraining?: boolean
  /** Called periodically by other workers: logged at the debug level. Default: false. */
  readonly isPoll?: boolean
  /** The roles that may call it: the caller's certificate must name one of them. */
  readonly callers: readonly Role[]
}

/** One request, one response. */
export interface UnaryMethod<Request extends z.ZodType, Response extends z.ZodType>
  extends MethodBase<Request> {
  readonly kind: 'unary'
  readonly response: Response
}

/** One request, many chunks, one end. */
export interface StreamMethod<
  Request extends z.ZodType,
  Chunk extends z.ZodType,
  End extends z.ZodType,
> extends MethodBase<Request> {
  readonly kind: 'stream'
  readonly chunk: Chunk
  readonly end: End
}

/** A unary method of any shape. */
export type AnyUnaryMethod = UnaryMethod<z.ZodType, z.ZodType>
/** A stream method of any shape. */
export type AnyStreamMethod = StreamMethod<z.ZodType, z.ZodType, z.ZodType>

/** A request as its caller writes it: fields with a default may be left out. */
export type RequestInput<M extends AnyUnaryMethod | AnyStreamMethod> = z.input<M['request']>
/** A request as its handler receives it. */
export type RequestOf<M extends AnyUnaryMethod | AnyStreamMethod> = z.output<M['request']>
export type ResponseOf<M extends AnyUnaryMethod> = z.output<M['response']>
export type ChunkOf<M extends AnyStreamMethod> = z.output<M['chunk']>
export type EndOf<M extends AnyStreamMethod> = z.output<M['end']>

/** Declares a unary method. */
export function unary<Request extends z.ZodType, Response extends z.ZodType>(
  method: Omit<UnaryMethod<Request, Response>, 'kind'>,
): UnaryMethod<Request, Response> {
  return { kind: 'unary', ...method }
}

/** Declares a stream method. */
export function stream<Request extends z.ZodType, Chunk extends z.ZodType, End extends z.ZodType>(
  method: Omit<StreamMethod<Request, Chunk, End>, 'kind'>,
): StreamMethod<Request, Chunk, End> {
  return { kind: 'stream', ...method }
}

/** The role that answers a method: `processor`. */
export function answererOf(method: AnyUnaryMethod | AnyStreamMethod): string {
  return method.name.split('.', 1)[0] ?? method.name
}
