import { z } from 'zod'
import { wireErrorSchema } from '../errors/wire-error.js'

/** The header of every request. */
export const requestHeaderSchema = z.strictObject({
  /** Identifies the request in the logs of all workers that it passes. */
  requestId: z.string().min(1).max(64),
  /**
   * How long the caller still waits, in milliseconds. A duration, because the clocks of machines
   * differ.
   */
  remainingMs: z.number().int().positive().max(86_400_000),
  /** W3C trace context (https://www.w3.org/TR/trace-context/), passed on with every further call. */
  traceparent: z.string().regex(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/),
})

export type RequestHeader = z.infer<typeof requestHeaderSchema>

/** What identifies a request: the same on all workers that it passes. */
export type RequestOrigin = Readonly<Pick<RequestHeader, 'requestId' | 'traceparent'>>

/** A unary request. The body is validated by the schema of its method. */
export const unaryRequestSchema = z.strictObject({
  header: requestHeaderSchema,
  body: z.unknown(),
})

/** A unary response: the body or the error. */
export const unaryResponseSchema = z.union([
  z.strictObject({ body: z.unknown() }),
  z.strictObject({ error: wireErrorSchema }),
])

/** The message that opens a stream. */
export const streamOpeningSchema = z.strictObject({
  method: z.string().min(1).max(100),
  /** Without `remainingMs`: the caller waits as long as the method allows. */
  header: requestHeaderSchema.partial({ remainingMs: true }),
  body: z.unknown(),
  /** The first credit: chunks that the receiver has room for. */
  credit: z.number().int().min(1).max(4096),
})

export type StreamOpening = z.infer<typeof streamOpeningSchema>
