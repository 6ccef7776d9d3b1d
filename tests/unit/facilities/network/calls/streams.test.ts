import test from 'brittle'
import { Service } from '../../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { roles } from '../../../../../helpers/protocol/call-policy.js'
import { TEST_LIMITS } from '../../../../helpers/network/mesh-fixture.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { count, sampleLog, sampleService } from '../../../../helpers/network/sample-service.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

const WINDOW = TEST_LIMITS.streamWindowChunks

test('should deliver all chunks in order and then the end when a stream is read', async (t) => {
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(sampleService())
  const stream = connection.open(count, { to: 100 }, mesh.call())
  const numbers: number[] = []
  for (;;) {
    const step = await stream.next()
    if (step.done) {
      t.alike(step.value, { total: 100 })
      break
    }
    numbers.push(step.value.n)
  }
  t.alike(
    numbers,
    Array.from({ length: 100 }, (_, n) => n),
  )
})

test('should stop the producer at the window when nobody reads', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const { connection } = await mesh.connected(sampleService(log))
  const stream = connection.open(count, { to: 1_000 }, mesh.call())
  await stream.next()
  await settle(20)
  t.is(log.produced, WINDOW)
  for (let read = 1; read <= 40; read += 1) await stream.next()
  await settle(20)
  t.ok(log.produced > 40 && log.produced <= 41 + WINDOW, `${log.produced} produced after 41 reads`)
  await stream.return({ total: 0 })
})

test('should send nothing when no chunk has been asked for', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const { connection } = await mesh.connected(sampleService(log))
  connection.open(count, { to: 10 }, mesh.call())
  await settle(10)
  t.is(log.started, 0)
})

test('should stop the handler and leave no timer when the reader leaves', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const { connection } = await mesh.connected(sampleService(log))
  const timers = mesh.time.pending
  for await (const { n } of connection.open(count, { to: 1_000 }, mesh.call())) {
    if (n === 3) break
  }
  await until('the handler to end', () => log.started === 1 && log.running === 0)
  t.is(log.signals[0]?.reason.code, 'CANCELLED')
  t.is(mesh.time.pending, timers)
})

test('should cancel the handler when the caller gives up in the tick of its call', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const { connection } = await mesh.connected(sampleService(log))
  const timers = mesh.time.pending
  const controller = new AbortController()
  const stream = connection.open(count, { to: 1_000 }, mesh.call({ signal: controller.signal }))
  const first = rejectionOf(stream.next())
  controller.abort(new StarlingError('CANCELLED', 'Ctrl-C'))
  t.is(Object(await first).code, 'CANCELLED')
  await settle(20)
  t.is(log.running, 0, 'no handler runs on for nobody')
  t.is(mesh.time.pending, timers)
})

test('should cancel the handler at once when the signal is aborted while the reader is busy', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const { connection } = await mesh.connected(sampleService(log))
  const controller = new AbortController()
  const stream = connection.open(count, { to: 1_000 }, mesh.call({ signal: controller.signal }))
  await stream.next()
  controller.abort(new StarlingError('CANCELLED', 'Ctrl-C'))
  await until('the handler to end', () => log.running === 0, 1_000)
  t.is(Object(await rejectionOf(stream.next())).code, 'CANCELLED', 'what was on its way is dropped')
})

test('should not pass a cut answer for a whole one when it is aborted after the end had arrived', async (t) => {
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(sampleService())
  const controller = new AbortController()
  const stream = connection.open(count, { to: 5 }, mesh.call({ signal: controller.signal }))
  await stream.next()
  await settle(20)
  controller.abort(new StarlingError('CANCELLED', 'Ctrl-C'))
  t.is(Object(await rejectionOf(stream.next())).code, 'CANCELLED')
})

test('should send nothing when the signal was aborted before', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const { connection } = await mesh.connected(sampleService(log))
  const signal = AbortSignal.abort(new StarlingError('CANCELLED', 'Ctrl-C'))
  const stream = connection.open(count, { to: 10 }, mesh.call({ signal }))
  t.is(Object(await rejectionOf(stream.next())).code, 'CANCELLED')
  await settle(10)
  t.is(log.started, 0)
})

test('should deliver what came before and then the typed error when the handler fails', async (t) => {
  const mesh = new PipedMesh(t)
  const service = new Service().stream(count, async function* () {
    yield { n: 0 }
    throw new StarlingError('OVERLOADED', 'No slot is free', { retryAfterMs: 70 })
  })
  const { connection } = await mesh.connected(service)
  const stream = connection.open(count, { to: 1 }, mesh.call())
  t.alike((await stream.next()).value, { n: 0 })
  const error = Object(await rejectionOf(stream.next()))
  t.alike([error.code, error.message, error.retryAfterMs], ['OVERLOADED', 'No slot is free', 70])
})

test('should fail with PROTOCOL_VIOLATION when a stream ends with a code of others', async (t) => {
  const mesh = new PipedMesh(t)
  const service = new Service().stream(count, async function* () {
    yield { n: 0 }
    throw new StarlingError('BAD_USAGE', 'Type this')
  })
  const { connection } = await mesh.connected(service)
  const stream = connection.open(count, { to: 1 }, mesh.call())
  await stream.next()
  const error = Object(await rejectionOf(stream.next()))
  t.is(error.code, 'PROTOCOL_VIOLATION')
  t.absent(error.message.includes('Type'))
})

test('should reveal only INTERNAL to the caller when the handler throws', async (t) => {
  const mesh = new PipedMesh(t)
  const heard: unknown[] = []
  const service = new Service().stream(count, async function* () {
    yield { n: 0 }
    throw new TypeError('/home/ada/secret')
  })
  const { connection } = await mesh.connected(service, {
    gateway: { events: { onInternalError: (error) => heard.push(error) } },
  })
  const stream = connection.open(count, { to: 1 }, mesh.call())
  await stream.next()
  const error = Object(await rejectionOf(stream.next()))
  t.is(error.code, 'INTERNAL')
  t.absent(error.message.includes('ada'))
  t.is(heard.length, 1, 'the worker itself hears of it')
})

test('should fail with DEADLINE_EXCEEDED at both ends when the time is over', async (t) => {
  const mesh = new PipedMesh(t)
  const reasons: unknown[] = []
  const service = new Service().stream(count, async function* (_request, { signal }) {
    yield { n: 0 }
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    reasons.push(signal.reason.code)
    return { total: 0 }
  })
  const { connection } = await mesh.connected(service)
  const timers = mesh.time.pending
  const stream = connection.open(count, { to: 1 }, mesh.call({ timeoutMs: 300 }))
  await stream.next()
  const failure = rejectionOf(stream.next())
  await mesh.time.advance(299)
  t.alike(reasons, [])
  await mesh.time.advance(1)
  t.is(Object(await failure).code, 'DEADLINE_EXCEEDED')
  await until('the handler to hear of it', () => reasons.length === 1)
  t.ok(['DEADLINE_EXCEEDED', 'CANCELLED'].includes(String(reasons[0])))
  t.is(mesh.time.pending, timers)
})

test('should free the slot and the caller when a handler ignores its signal', async (t) => {
  const mesh = new PipedMesh(t)
  const service = new Service().stream(count, async function* () {
    yield { n: 0 }
    await new Promise(() => {})
    return { total: 0 }
  })
  const { connection } = await mesh.connected(service, {
    gateway: { limits: { maxStreamsPerKey: 1 } },
  })
  const timers = mesh.time.pending
  for (let round = 0; round < 3; round += 1) {
    const stream = connection.open(count, { to: 1 }, mesh.call({ timeoutMs: 100 }))
    t.alike((await stream.next()).value, { n: 0 })
    const failure = rejectionOf(stream.next())
    await mesh.time.advance(100)
    t.is(Object(await failure).code, 'DEADLINE_EXCEEDED')
    await settle(10)
    t.is(mesh.time.pending, timers)
  }
})

test('should fail with PEER_LOST and stop the handler when the connection breaks', async (t) => {
  const mesh = new PipedMesh(t)
  const log = sampleLog()
  const { connection, piped } = await mesh.connected(sampleService(log))
  const stream = connection.open(count, { to: 1_000 }, mesh.call())
  await stream.next()
  piped.responder.destroy()
  const numbers: unknown[] = []
  const error = await rejectionOf(
    (async () => {
      for (;;) numbers.push((await stream.next()).value)
    })(),
  )
  t.is(Object(error).code, 'PEER_LOST')
  t.is(numbers.length, WINDOW - 1, 'what had arrived is still delivered')
  await until('the handler to end', () => log.running === 0)
  t.is(mesh.time.pending, 0)
  t.is(
    Object(await rejectionOf(connection.open(count, { to: 1 }, mesh.call()).next())).code,
    'PEER_LOST',
  )
  t.is(mesh.time.pending, 0)
})

test('should refuse, with the connection kept, when a stream is not allowed or not as agreed', async (t) => {
  const mesh = new PipedMesh(t)
  const forClients = { ...count, callers: roles('processor') }
  const service = new Service().stream(forClients, async function* () {
    yield { n: 0 }
    return { total: 1 }
  })
  const { connection } = await mesh.connected(service)
  const wrong = [
    [connection.open(count, { to: 1 }, mesh.call()), 'FORBIDDEN'],
    [connection.open({ ...count, name: 'gateway.none' }, { to: 1 }, mesh.call()), 'UNKNOWN_METHOD'],
    [
      connection.open(count, { to: 1, padding: 'x'.repeat(2 * 1024 * 1024) }, mesh.call()),
      'PAYLOAD_TOO_LARGE',
    ],
  ] as const
  for (const [stream, code] of wrong) t.is(Object(await rejectionOf(stream.next())).code, code)
  t.ok(connection.isOpen)
})

test('should refuse fields that the method does not know when a stream is opened', async (t) => {
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(sampleService())
  const body = { to: 1, admin: true }
  const error = Object(await rejectionOf(connection.open(count, body, mesh.call()).next()))
  t.is(error.code, 'INVALID_REQUEST')
  t.ok(connection.isOpen)
})

test('should fail typed when a chunk is larger than a chunk may be', async (t) => {
  const mesh = new PipedMesh(t)
  const service = new Service().stream(count, async function* () {
    yield { n: 0, filling: 'x'.repeat(70_000) }
    return { total: 1 }
  })
  const { connection } = await mesh.connected(service)
  const failure = rejectionOf(connection.open(count, { to: 1 }, mesh.call()).next())
  t.is(Object(await failure).code, 'PAYLOAD_TOO_LARGE')
  t.ok(connection.isOpen)
})

test('should refuse one stream more than allowed and serve again when one has ended', async (t) => {
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(sampleService(), {
    gateway: { limits: { maxStreamsPerKey: 2 } },
  })
  const open = () => connection.open(count, { to: 1_000 }, mesh.call())
  const streams = [open(), open()]
  for (const stream of streams) await stream.next()
  const error = Object(await rejectionOf(open().next()))
  t.is(error.code, 'OVERLOADED')
  t.is(error.retryAfterMs, undefined, 'when one ends is up to the caller')
  await streams[0]?.return({ total: 0 })
  await settle(10)
  const third = open()
  t.alike((await third.next()).value, { n: 0 })
  for (const stream of [streams[1], third]) await stream?.return({ total: 0 })
})

test('should remember nothing of a stream when its opening failed', async (t) => {
  const mesh = new PipedMesh(t)
  const { connection, piped } = await mesh.connected(sampleService())
  const known = () => Object(piped.initiator.userData)._infos.size
  const before = known()
  const padding = 'x'.repeat(2 * 1024 * 1024)
  for (let i = 0; i < 3; i += 1) {
    await rejectionOf(connection.open(count, { to: 1, padding }, mesh.call()).next())
    const signal = AbortSignal.abort()
    await rejectionOf(connection.open(count, { to: 1 }, mesh.call({ signal })).next())
  }
  t.is(known(), before)
})
