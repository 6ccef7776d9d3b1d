import test from 'brittle'
import type { InjectOptions } from 'fastify'
import type { Readiness } from '../../../../facilities/worker/worker-health.js'
import { createOperationsApp } from '../../../../facilities/worker/worker-watch.js'
import { ERROR_CODES, isErrorCode } from '../../../../helpers/errors/error-codes.js'

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const READY: Readiness = { ready: true, reasons: [], warnings: [] }

/** An app that is asked without a port. */
function scene(readMetrics = async () => 'starling_ready 1\n') {
  let readiness = READY
  const errors: unknown[] = []
  const app = createOperationsApp({
    readiness: () => readiness,
    metrics: async () => ({ contentType: CONTENT_TYPE, text: await readMetrics() }),
    onInternalError: (error) => errors.push(error),
  })
  return {
    errors,
    become: (now: Readiness) => {
      readiness = now
    },
    ask: async (url: string, options: InjectOptions = {}) => {
      const { statusCode, headers, body } = await app.inject({ url, ...options })
      return { status: statusCode, headers, body }
    },
  }
}

/** The code of an error, and whether it came with the status of that code. */
function errorOf({ status, body }: { status: number; body: string }): string {
  const { code, message } = JSON.parse(body).error
  const expected = isErrorCode(code) ? ERROR_CODES[code].httpStatus : undefined
  return status === expected && message ? code : `${status} ${body}`
}

test('should say that the process is up whether or not it is ready', async (t) => {
  const { ask, become } = scene()
  become({ ...READY, ready: false })
  const { status, body, headers } = await ask('/healthz')
  t.is(status, 200)
  t.alike(JSON.parse(body), { status: 'up' })
  t.is(headers['cache-control'], 'no-store')
})

test('should turn from 503 with the reason to 200 when the worker gets ready', async (t) => {
  const { ask, become } = scene()
  const reasons = [{ code: 'AUTH_UNAVAILABLE', message: 'No auth worker is connected' }] as const
  become({ ready: false, reasons, warnings: [] })
  const before = await ask('/readyz')
  t.is(before.status, 503)
  t.alike(JSON.parse(before.body), { ready: false, reasons, warnings: [] })
  become({ ...READY, warnings: reasons })
  const after = await ask('/readyz')
  t.is(after.status, 200)
  t.alike(JSON.parse(after.body), { ready: true, reasons: [], warnings: reasons })
})

test('should return the metrics unchanged when a scraper requests them', async (t) => {
  const { ask } = scene()
  const { status, body, headers } = await ask('/metrics?name[]=x')
  t.is(status, 200)
  t.is(body, 'starling_ready 1\n')
  t.is(headers['content-type'], CONTENT_TYPE)
  const head = await ask('/metrics', { method: 'HEAD' })
  t.alike([head.status, head.body], [200, ''])
})

test('should answer a typed 404 when anything else is asked for', async (t) => {
  const { ask } = scene()
  for (const url of ['/', '/metric', '/healthz/', '/debug/pprof', '/%00']) {
    t.is(errorOf(await ask(url)), 'NOT_FOUND', url)
  }
  t.is(errorOf(await ask('/other', { method: 'POST', payload: 'x' })), 'NOT_FOUND')
  const named = await ask('/secret-path?token=abc')
  t.ok(named.body.includes('/secret-path'))
  t.absent(named.body.includes('abc'), 'without the query')
})

test('should answer a typed 405 and read no body when something else than reading is tried', async (t) => {
  const { ask } = scene()
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const) {
    const answer = await ask('/metrics', { method })
    t.is(errorOf(answer), 'METHOD_NOT_ALLOWED', method)
    t.is(answer.headers.allow, 'GET, HEAD')
  }
  const large = { method: 'POST', payload: 'x'.repeat(100_000) } as const
  t.is(errorOf(await ask('/readyz', large)), 'METHOD_NOT_ALLOWED')
})

test('should answer a typed 400 when the address is malformed', async (t) => {
  const { ask } = scene()
  t.is(errorOf(await ask('/%E0%A4%A')), 'INVALID_REQUEST')
})

test('should tell nothing but INTERNAL, and tell the worker more, when it fails', async (t) => {
  const failure = new Error('no such file: /home/ada/secret')
  const { ask, errors } = scene(() => Promise.reject(failure))
  const answer = await ask('/metrics')
  t.is(errorOf(answer), 'INTERNAL')
  t.absent(answer.body.includes('ada'))
  t.alike(errors, [failure])
})
