import test from 'brittle'
import { Service } from '../../../../../facilities/network/calls/service.js'
import { readAll } from '../../../../helpers/network/call-service.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { count, sampleLog, sampleService } from '../../../../helpers/network/sample-service.js'
import { addUp } from '../../../../helpers/network/sample-streams.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

const HOUR_MS = 3_600_000

/** What the handlers of lasting streams did. */
interface LastingLog {
  running: number
  remainingMs: number
}

/** A service with a stream that sends a sum and then lasts. */
function lastingService(service = new Service()): { service: Service; log: LastingLog } {
  const log: LastingLog = { running: 0, remainingMs: 0 }
  service.stream(addUp, async function* (_request, { signal, remainingMs }) {
    log.running += 1
    log.remainingMs = remainingMs()
    try {
      yield { sum: 1 }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return { total: 0 }
    } finally {
      log.running -= 1
    }
  })
  return { service, log }
}

test('should have no deadline when a stream lasts', async (t) => {
  const mesh = new PipedMesh(t)
  const { service, log } = lastingService()
  const { connection } = await mesh.connected(service, {
    gateway: { limits: { heartbeatIntervalMs: 10 * HOUR_MS } },
    client: { limits: { heartbeatIntervalMs: 10 * HOUR_MS } },
  })
  const answer = connection.open(addUp, {}, mesh.call())
  await answer.next()
  t.is(log.remainingMs, Number.POSITIVE_INFINITY)
  await mesh.time.advance(30 * HOUR_MS)
  t.is(log.running, 1)
  await answer.return({ total: 0 })
  await until('the handler to end', () => log.running === 0)
})

test('should end after the time of its caller when that has one', async (t) => {
  const mesh = new PipedMesh(t)
  const { service, log } = lastingService()
  const { connection } = await mesh.connected(service)
  const answer = connection.open(addUp, {}, mesh.call({ timeoutMs: 300 }))
  await answer.next()
  const failure = rejectionOf(answer.next())
  await mesh.time.advance(300)
  t.is(Object(await failure).code, 'DEADLINE_EXCEEDED')
  await until('the handler to end', () => log.running === 0)
})

test('should end with DRAINING at once when the worker leaves, which does not wait for it', async (t) => {
  const mesh = new PipedMesh(t)
  const { service, log } = lastingService()
  const { connection } = await mesh.connected(service)
  const timers = mesh.time.pending
  const answer = connection.open(addUp, {}, mesh.call())
  await answer.next()
  const failure = rejectionOf(answer.next())
  await service.drain()
  const error = Object(await failure)
  t.alike([error.code, error.retryable], ['DRAINING', true])
  await until('the handler to end', () => log.running === 0)
  t.is(mesh.time.pending, timers)
  const late = connection.open(addUp, {}, mesh.call())
  t.is(Object(await rejectionOf(late.next())).code, 'DRAINING')
})

test('should not wait for a lasting stream whose handler ignores its signal when the worker leaves', async (t) => {
  const mesh = new PipedMesh(t)
  const service = new Service().stream(addUp, async function* () {
    yield { sum: 1 }
    await new Promise(() => {})
    return { total: 0 }
  })
  const { connection } = await mesh.connected(service)
  const answer = connection.open(addUp, {}, mesh.call())
  await answer.next()
  await service.drain()
  t.is(Object(await rejectionOf(answer.next())).code, 'DRAINING')
})

test('should wait for a stream with a deadline when the worker leaves', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const { service } = lastingService(sampleService(log))
  const { connection } = await mesh.connected(service)
  const lasting = connection.open(addUp, {}, mesh.call())
  await lasting.next()
  const answer = connection.open(count, { to: 20 }, mesh.call())
  await answer.next()
  let isDrained = false
  const draining = service.drain().then(() => {
    isDrained = true
  })
  t.is(Object(await rejectionOf(lasting.next())).code, 'DRAINING')
  await settle(10)
  t.absent(isDrained)
  t.is((await readAll(answer)).end.total, 20)
  await draining
  t.is(log.running, 0)
})

test('should end with DRAINING at once when the worker that called leaves', async (t) => {
  const mesh = new PipedMesh(t)
  const { service, log } = lastingService()
  const own = new Service()
  const processor = await mesh.node('processor', { service })
  const gateway = await mesh.node('gateway', { service: own })
  const connection = await mesh.dial(gateway, processor)
  const timers = mesh.time.pending
  const answer = connection.open(addUp, {}, mesh.call())
  await answer.next()
  const failure = rejectionOf(answer.next())
  await own.drain()
  t.is(Object(await failure).code, 'DRAINING')
  await until('the handler to end', () => log.running === 0)
  t.is(mesh.time.pending, timers)
  t.is(
    Object(await rejectionOf(connection.open(addUp, {}, mesh.call()).next())).code,
    'DRAINING',
    'and none is opened any more',
  )
})

test('should count against the streams of its peer when a stream lasts', async (t) => {
  const mesh = new PipedMesh(t)
  const { service } = lastingService()
  const { connection } = await mesh.connected(service, {
    gateway: { limits: { maxStreamsPerKey: 2 } },
  })
  const open = () => connection.open(addUp, {}, mesh.call())
  const streams = [open(), open()]
  for (const stream of streams) await stream.next()
  t.is(Object(await rejectionOf(open().next())).code, 'OVERLOADED')
  await streams[0]?.return({ total: 0 })
  await settle(10)
  t.alike((await open().next()).value, { sum: 1 })
})
