import test from 'brittle'
import { z } from 'zod'
import { Service } from '../../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { roles } from '../../../../../helpers/protocol/call-policy.js'
import { unary } from '../../../../../helpers/protocol/method.js'
import { TEST_LIMITS } from '../../../../helpers/network/mesh-fixture.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import {
  count,
  echo,
  sampleLog,
  sampleService,
} from '../../../../helpers/network/sample-service.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

/** Handlers of echo that wait until they are released. */
function waitingService() {
  const waiting: (() => void)[] = []
  const signals: AbortSignal[] = []
  const service = sampleService().unary(echo, async ({ text }, { signal }) => {
    signals.push(signal)
    await new Promise<void>((resolve) => waiting.push(resolve))
    return { text }
  })
  return { service, waiting, signals }
}

test('should answer with what the handler returned when it is called', async (t) => {
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(sampleService())
  const timers = mesh.time.pending
  const texts = ['', 'hi', 'ž🐦', 'x'.repeat(900_000)]
  const answers = await Promise.all(
    texts.map((text) => connection.call(echo, { text }, mesh.call())),
  )
  t.alike(
    answers.map(({ text }) => text),
    texts,
  )
  t.is(mesh.time.pending, timers)
})

test('should pass the origin, the caller and the remaining time to the handler', async (t) => {
  const mesh = new PipedMesh(t)
  const seen: unknown[] = []
  const service = new Service().unary(echo, async ({ text }, context) => {
    seen.push([context.requestId, context.traceparent, context.remainingMs()])
    seen.push(context.peer.certificate.roles)
    return { text }
  })
  const { connection } = await mesh.connected(service)
  const options = mesh.call({ timeoutMs: 700 })
  await connection.call(echo, { text: '' }, options)
  t.alike(seen, [[options.origin.requestId, options.origin.traceparent, 700], ['client']])
})

test('should fail with what the handler threw when that is an error of ours', async (t) => {
  const mesh = new PipedMesh(t)
  const service = new Service().unary(echo, async () => {
    throw new StarlingError('OVERLOADED', 'Too much', { retryAfterMs: 12.2 })
  })
  const { connection } = await mesh.connected(service)
  const error = Object(await rejectionOf(connection.call(echo, { text: '' }, mesh.call())))
  t.alike([error.code, error.message, error.retryAfterMs], ['OVERLOADED', 'Too much', 13])
})

test('should fail with PROTOCOL_VIOLATION when the other end answers with a code of others', async (t) => {
  const mesh = new PipedMesh(t)
  const service = new Service().unary(echo, async () => {
    throw new StarlingError('NOT_LOGGED_IN', 'Log in again')
  })
  const { connection } = await mesh.connected(service)
  const error = Object(await rejectionOf(connection.call(echo, { text: '' }, mesh.call())))
  t.is(error.code, 'PROTOCOL_VIOLATION')
  t.absent(error.message.includes('Log in'))
  t.ok(connection.isOpen)
})

test('should reveal only INTERNAL when the handler throws or gives an invalid answer', async (t) => {
  const failures: (() => unknown)[] = [
    () => {
      throw new Error('ENOENT: /home/ada/.starling/mesh/root.key')
    },
    () => {
      throw new TypeError('ada')
    },
    () => Promise.reject('ada'),
    () => ({ text: 1n }),
    () => undefined,
  ]
  for (const [i, fail] of failures.entries()) {
    const mesh = new PipedMesh(t)
    const heard: unknown[] = []
    const service = new Service().unary(echo, async () => Object(await fail()))
    const { connection } = await mesh.connected(service, {
      gateway: { events: { onInternalError: (error) => heard.push(error) } },
    })
    const options = mesh.call()
    const error = Object(await rejectionOf(connection.call(echo, { text: '' }, options)))
    if (i < 4) {
      t.is(error.code, 'INTERNAL')
      t.is(error.requestId, options.origin.requestId)
      t.is(heard.length, 1)
    } else {
      t.is(
        error.code,
        'PROTOCOL_VIOLATION',
        'what is no answer of the method is the fault of its worker',
      )
    }
    t.absent(JSON.stringify([error.message, error.stack]).includes('ada'))
    t.ok(connection.isOpen)
  }
})

test('should refuse a caller whose role may not call when it calls', async (t) => {
  const mesh = new PipedMesh(t)
  let calls = 0
  const service = new Service().unary({ ...echo, callers: roles('gateway', 'auth') }, async () => {
    calls += 1
    return { text: '' }
  })
  const { connection } = await mesh.connected(service)
  t.is(
    Object(await rejectionOf(connection.call(echo, { text: '' }, mesh.call()))).code,
    'FORBIDDEN',
  )
  t.is(calls, 0)
})

test('should refuse, with the connection kept, when the request is not as agreed', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const { connection } = await mesh.connected(sampleService(log))
  const call = (method: typeof echo, body: { text: string }) =>
    rejectionOf(connection.call(method, body, mesh.call())).then((error) => Object(error).code)
  t.is(await call(echo, Object({ text: 'a', admin: true })), 'INVALID_REQUEST')
  t.is(await call(echo, Object({ text: 1 })), 'INVALID_REQUEST')
  t.is(await call(echo, Object(null)), 'INVALID_REQUEST')
  t.is(await call(echo, { text: 'x'.repeat(1024 * 1024) }), 'PAYLOAD_TOO_LARGE')
  t.is(await call({ ...echo, name: 'gateway.none' }, { text: '' }), 'UNKNOWN_METHOD')
  t.alike(log.texts, [])
  t.alike(await connection.call(echo, { text: 'still here' }, mesh.call()), { text: 'still here' })
})

test('should fail typed when the answer is larger than an answer may be', async (t) => {
  const mesh = new PipedMesh(t)
  const service = new Service().unary(echo, async () => ({ text: 'x'.repeat(1024 * 1024) }))
  const { connection } = await mesh.connected(service)
  const error = Object(await rejectionOf(connection.call(echo, { text: '' }, mesh.call())))
  t.is(error.code, 'PAYLOAD_TOO_LARGE')
  t.ok(connection.isOpen)
})

test('should fail with PROTOCOL_VIOLATION when the answer is not what was agreed', async (t) => {
  const mesh = new PipedMesh(t)
  const older = unary({ ...echo, response: z.strictObject({ words: z.number() }) })
  const service = new Service().unary(older, async () => ({ words: 3 }))
  const { connection } = await mesh.connected(service)
  const error = Object(await rejectionOf(connection.call(echo, { text: '' }, mesh.call())))
  t.is(error.code, 'PROTOCOL_VIOLATION')
})

test('should fail with DEADLINE_EXCEEDED at both ends when the time is over', async (t) => {
  const mesh = new PipedMesh(t)
  const { service, signals } = waitingService()
  const { connection } = await mesh.connected(service)
  const timers = mesh.time.pending
  const call = rejectionOf(connection.call(echo, { text: '' }, mesh.call({ timeoutMs: 150 })))
  await until('the handler', () => signals.length === 1)
  await mesh.time.advance(149)
  t.absent(signals[0]?.aborted)
  await mesh.time.advance(1)
  t.is(Object(await call).code, 'DEADLINE_EXCEEDED')
  t.is(signals[0]?.reason.code, 'DEADLINE_EXCEEDED')
  await settle()
  t.is(mesh.time.pending, timers)
})

test('should wait no longer than the method allows when its caller would', async (t) => {
  const mesh = new PipedMesh(t)
  const { service } = waitingService()
  const { connection } = await mesh.connected(service, {
    gateway: { limits: { heartbeatIntervalMs: 60_000 } },
    client: { limits: { heartbeatIntervalMs: 60_000 } },
  })
  const call = rejectionOf(connection.call(echo, { text: '' }, mesh.call({ timeoutMs: 10 ** 9 })))
  await mesh.time.advance(echo.timeoutMs)
  t.is(Object(await call).code, 'DEADLINE_EXCEEDED')
})

test('should fail with the reason of the signal when it is aborted during the call', async (t) => {
  const mesh = new PipedMesh(t)
  const { service, signals } = waitingService()
  const { connection } = await mesh.connected(service)
  const timers = mesh.time.pending
  const controller = new AbortController()
  const options = mesh.call({ signal: controller.signal })
  const call = rejectionOf(connection.call(echo, { text: '' }, options))
  await until('the handler', () => signals.length === 1)
  controller.abort(new StarlingError('CANCELLED', 'Ctrl-C'))
  t.is(Object(await call).code, 'CANCELLED')
  await mesh.time.advance(echo.timeoutMs)
  await settle()
  t.ok(mesh.time.pending <= timers)
})

test('should send nothing when the signal was aborted before the call', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const { connection } = await mesh.connected(sampleService(log))
  const signal = AbortSignal.abort(new StarlingError('CANCELLED', 'Ctrl-C'))
  const call = connection.call(echo, { text: 'never' }, mesh.call({ signal }))
  t.is(Object(await rejectionOf(call)).code, 'CANCELLED')
  await settle(10)
  t.alike(log.texts, [])
})

test('should fail all running calls with PEER_LOST when the connection breaks', async (t) => {
  for (const end of ['initiator', 'responder'] as const) {
    const mesh = new PipedMesh(t)
    const { service, signals } = waitingService()
    const { connection, piped } = await mesh.connected(service)
    const calls = [1, 2, 3].map(() => rejectionOf(connection.call(echo, { text: '' }, mesh.call())))
    await until('the handlers', () => signals.length === 3)
    piped[end].destroy()
    const errors = await Promise.all(calls)
    t.alike(
      errors.map((error) => [Object(error).code, Object(error).retryable]),
      Array(3).fill(['PEER_LOST', true]),
    )
    await until('the handlers to hear of it', () => signals.every(({ aborted }) => aborted))
    const late = await rejectionOf(connection.call(echo, { text: '' }, mesh.call()))
    t.is(Object(late).code, 'PEER_LOST')
    await settle()
    t.is(mesh.time.pending, 0)
  }
})

test('should refuse one call more than allowed and serve again when one has ended', async (t) => {
  const mesh = new PipedMesh(t)
  const { service, waiting, signals } = waitingService()
  const { connection } = await mesh.connected(service)
  const call = () => connection.call(echo, { text: '' }, mesh.call())
  const calls = Array.from({ length: TEST_LIMITS.maxCallsPerKey }, call)
  await until('the handlers', () => signals.length === calls.length)
  const error = Object(await rejectionOf(call()))
  t.is(error.code, 'OVERLOADED')
  t.is(error.retryAfterMs, undefined, 'when one ends is up to the caller')
  for (const release of waiting) release()
  await Promise.all(calls)
  const last = call()
  await until('the last handler', () => signals.length === calls.length + 1)
  waiting.at(-1)?.()
  t.alike(await last, { text: '' })
})

test('should not stop the streams of a connection when a call on it is slow', async (t) => {
  const mesh = new PipedMesh(t)
  const { service, waiting, signals } = waitingService()
  const { connection } = await mesh.connected(service)
  const stream = connection.open(count, { to: 1_000 }, mesh.call())
  const calls: Promise<unknown>[] = []
  let read = 0
  for await (const { n } of stream) {
    read += 1
    // Made right after a frame of many chunks was read.
    if (n % 7 === 0 && calls.length < 5) {
      calls.push(connection.call(echo, { text: '' }, mesh.call()))
    }
    if (n === 200) break
  }
  t.is(read, 201)
  t.is(signals.length, 5, 'the calls are still under way')
  for (const release of waiting) release()
  t.is((await Promise.all(calls)).length, 5)
})

test('should answer a call at once when another one that was made with it is slow', async (t) => {
  const mesh = new PipedMesh(t)
  let release = () => {}
  const service = new Service().unary(echo, async ({ text }) => {
    if (text === 'slow') {
      await new Promise<void>((resolve) => {
        release = resolve
      })
    }
    return { text }
  })
  const { connection } = await mesh.connected(service)
  const texts = ['before', 'slow', 'after']
  const [before, slow, after] = texts.map((text) => connection.call(echo, { text }, mesh.call()))
  t.alike(await Promise.all([before, after]), [{ text: 'before' }, { text: 'after' }])
  release()
  t.alike(await slow, { text: 'slow' })
})

test('should share frames when calls are made together, or answers are ready together', async (t) => {
  const mesh = new PipedMesh(t)
  const { connection, piped } = await mesh.connected(sampleService())
  const frames = { initiator: 0, responder: 0 }
  for (const end of ['initiator', 'responder'] as const) {
    piped[end].on('data', () => {
      frames[end] += 1
    })
  }
  const texts = Array.from({ length: TEST_LIMITS.maxCallsPerKey }, (_, index) => `${index}`)
  const answers = await Promise.all(
    texts.map((text) => connection.call(echo, { text }, mesh.call())),
  )
  t.alike(
    answers.map(({ text }) => text),
    texts,
  )
  t.alike(frames, { initiator: 2, responder: 2 }, 'the first goes at once, the others together')
})
