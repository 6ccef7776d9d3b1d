import { z } from 'zod'
import { isErrorCode } from './error-codes.js'
import { StarlingError } from './starling-error.js'

/** How an error stands on the wire: code and message, nothing internal. */
export const wireErrorSchema = z.strictObject({
  code: z.string().max(64),
  message: z.string().max(2048),
  retryAfterMs: z.number().int().nonnegative().optional(),
  requestId: z.string().max(64).optional(),
})

/** An error as it crosses the wire. */
export type WireError = z.infer<typeof wireErrorSchema>

/**
 * What a peer is told of a failure. A {@link StarlingError} crosses with its code and message; of
 * anything else only INTERNAL and the request id leave this process, because its message may name
 * paths, keys or other users' data.
 */
export function toWireError(error: unknown, requestId?: string): WireError {
  const id = requestId === undefined ? {} : { requestId }
  if (!(error instanceof StarlingError)) {
    return { code: 'INTERNAL', message: 'The worker failed while it handled the request', ...id }
  }
  return {
    code: error.code,
    message: error.message.slice(0, 2048),
    ...(error.retryAfterMs === undefined
      ? {}
      : { retryAfterMs: Math.max(0, Math.ceil(error.retryAfterMs)) }),
    ...(error.requestId === undefined ? id : { requestId: error.requestId }),
  }
}

/**
 * The error that another worker sent, or a child process of this one. A code that this version does not
 * know becomes INTERNAL.
 *
 * @param options.isFromPeer false for an error of a child process
 */
export function fromWireError(
  wire: WireError,
  { isFromPeer } = { isFromPeer: true },
): StarlingError {
  const known = isErrorCode(wire.code)
  return new StarlingError(
    isErrorCode(wire.code) ? wire.code : 'INTERNAL',
    known ? wire.message : `${wire.code}: ${wire.message}`,
    {
      isFromPeer,
      ...(wire.retryAfterMs === undefined ? {} : { retryAfterMs: wire.retryAfterMs }),
      ...(wire.requestId === undefined ? {} : { requestId: wire.requestId }),
    },
  )
}
