import { z } from 'zod'
import { isErrorCode } from './error-codes.js'
import { StarlingError } from './starling-error.js'

/** An error in a message between workers. */
export const wireErrorSchema = z.strictObject({
  code: z.string().max(64),
  message: z.string().max(2048),
  retryAfterMs: z.number().int().nonnegative().optional(),
  requestId: z.string().max(64).optional(),
})

export type WireError = z.infer<typeof wireErrorSchema>

/**
 * An error as it is sent to another worker: a {@link StarlingError} with its code and message, any other
 * error as INTERNAL without its message, which may contain paths, keys or the data of other users.
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
 * An error that another worker or a child process sent. A code that this version does not know becomes
 * INTERNAL.
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
