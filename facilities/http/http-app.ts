import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { ERROR_CODES } from '../../helpers/errors/error-codes.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { toWireError } from '../../helpers/errors/wire-error.js'

/** For the whole head of a request. */
export const HEADERS_TIMEOUT_MS = 5_000
/** For a whole request. */
const REQUEST_TIMEOUT_MS = 10_000
/** For a connection between two requests. */
const KEEP_ALIVE_TIMEOUT_MS = 5_000
/** How often these are checked. The default of Node.js is 30 s. */
export const CHECK_INTERVAL_MS = 500
/** There are few HTTP clients: a scraper, a supervisor, an operator with curl. */
const MAX_CONNECTIONS = 64
/** No request needs a body. */
const MAX_BODY_BYTES = 1024

/**
 * Creates an HTTP app without routes: limits, and errors as `{ error: { code, message } }` with the status in
 * the table of error codes. Tests inject requests without a port.
 *
 * @param options.onInternalError called with errors of handlers that are not a StarlingError
 */
export function createHttpApp(options: {
  onInternalError: (error: unknown) => void
}): FastifyInstance {
  const app = Fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
    },
    frameworkErrors: (error, _request, reply) => sendError(reply, asStarlingError(error)),
  })
  app.server.maxConnections = MAX_CONNECTIONS
  app.setErrorHandler((error, _request, reply) => {
    const known = asStarlingError(error)
    if (!isStarlingError(known)) options.onInternalError(error)
    return sendError(reply, known)
  })
  app.setNotFoundHandler((request, reply) => {
    return sendError(reply, new StarlingError('NOT_FOUND', `Unknown path: ${pathOf(request)}`))
  })
  return app
}

/** The path of a request, without its query. */
export function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] ?? url
}

/** Errors of fastify as a StarlingError; other errors unchanged. */
function asStarlingError(error: unknown): unknown {
  if (isStarlingError(error)) return error
  const { statusCode, message } = Object(error) as { statusCode?: unknown; message?: unknown }
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode >= 500) return error
  const code = statusCode === 413 ? 'PAYLOAD_TOO_LARGE' : 'INVALID_REQUEST'
  return new StarlingError(code, String(message), { cause: error })
}

function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const { httpStatus } = ERROR_CODES[isStarlingError(error) ? error.code : 'INTERNAL']
  return reply.code(httpStatus).send({ error: toWireError(error) })
}
