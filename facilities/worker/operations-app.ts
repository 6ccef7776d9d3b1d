import type { FastifyInstance } from 'fastify'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { createHttpApp, pathOf } from '../http/http-app.js'
import type { Readiness } from './worker-health.js'

/** What an operator's tools ask a worker by HTTP. */
export interface OperationsAppOptions {
  readonly readiness: () => Readiness
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
  readonly onInternalError: (error: unknown) => void
}

/**
 * Says how a worker is, and nothing else:
 *
 * - `/healthz`: 200, the process is up
 * - `/readyz`: 200 when work may be sent to it, else 503; both with a {@link Readiness}
 * - `/metrics`: numbers, as Prometheus reads them
 */
export function createOperationsApp(options: OperationsAppOptions): FastifyInstance {
  const app = createHttpApp(options)
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    // Decided here, before a body is read.
    if (!request.is404 || !app.hasRoute({ method: 'GET', url: pathOf(request) })) return
    reply.header('allow', 'GET, HEAD')
    throw new StarlingError('METHOD_NOT_ALLOWED', `${request.method} is not answered here`)
  })
  app.get('/healthz', async () => ({ status: 'up' }))
  app.get('/readyz', async (_request, reply) => {
    const readiness = options.readiness()
    return reply.code(readiness.ready ? 200 : 503).send(readiness)
  })
  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await options.metrics()
    return reply.type(contentType).send(text)
  })
  return app
}
