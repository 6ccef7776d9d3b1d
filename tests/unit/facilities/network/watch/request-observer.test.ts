import test, { type Test } from 'brittle'
import { Service } from '../../../../../facilities/network/calls/service.js'
import type { EndedRequest } from '../../../../../facilities/network/watch/request-observer.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { stream, unary } from '../../../../../helpers/protocol/method.js'
import { readAll } from '../../../../helpers/network/call-service.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { count, echo, sampleService } from '../../../../helpers/network/sample-service.js'
import { rejectionOf, settle, until } from '../../../../helpers/until.js'

/** A gateway of which everything that ends is written down. */
async function scene(t: Test, service = sampleService()) {
  const mesh = new PipedMesh(t)
  const ended: EndedRequest[] = []
  const begun: string[] = []
  const internal: unknown[] = []
  const { connection } = await mesh.connected(service, {
    gateway: {
      events: {
        onRequestBegun: (kind) => begun.push(kind),
        onRequestEnded: (request) => ended.push(request),
        onInternalError: (error, { requestId }) => internal.push([error, requestId]),
      },
    },
  })
  return { mesh, connection, ended, begun, internal }
}

test('should report a call when it is answered', async (t) => {
  const { mesh, connection, ended, begun } = await scene(t)
  const options = mesh.call()
  await connection.call(echo, { text: 'hi' }, options)
  t.alike(begun, ['unary'])
  t.alike(ended, [
    {
      kind: 'unary',
      method: 'gateway.echo',
      isPoll: false,
      code: 'OK',
      durationMs: 0,
      requestId: options.origin.requestId,
      peer: ended[0]?.peer ?? '',
      chunks: 0,
      firstChunkMs: undefined,
    },
  ])
  t.ok(ended[0]?.peer.startsWith('client'))
})

test('should report how long it took, and that it is called repeatedly', async (t) => {
  let answer = () => {}
  const poll = unary({ ...echo, isPoll: true })
  const service = new Service().unary(poll, async ({ text }) => {
    await new Promise<void>((resolve) => {
      answer = resolve
    })
    return { text }
  })
  const { mesh, connection, ended, begun } = await scene(t, service)
  const answered = connection.call(poll, { text: 'hi' }, mesh.call())
  await until('it to begin', () => begun.length === 1)
  await mesh.time.advance(250)
  t.is(ended.length, 0)
  answer()
  await answered
  t.alike([ended[0]?.durationMs, ended[0]?.isPoll], [250, true])
})

test('should report the code when a call fails, and the whole failure when it is not a StarlingError', async (t) => {
  const failure = new TypeError('a bug')
  const failures = [new StarlingError('OVERLOADED', 'busy'), failure]
  const service = new Service().unary(echo, () => Promise.reject(failures.shift()))
  const { mesh, connection, ended, internal } = await scene(t, service)
  await rejectionOf(connection.call(echo, { text: 'hi' }, mesh.call()))
  t.alike(internal, [])
  const options = mesh.call()
  await rejectionOf(connection.call(echo, { text: 'hi' }, options))
  t.alike(
    ended.map(({ code }) => code),
    ['OVERLOADED', 'INTERNAL'],
  )
  t.alike(internal, [[failure, options.origin.requestId]])
})

test('should report why a call failed when its caller may not know', async (t) => {
  const reason = 'No server answers at http://10.0.0.7:8000'
  const failures = [
    new StarlingError('ENGINE_UNREACHABLE', reason),
    new StarlingError('OVERLOADED', 'busy'),
    new StarlingError('INVALID_REQUEST', 'http://10.0.0.7:8000 does not like "a prompt"'),
    new StarlingError('MODEL_UNREACHABLE', reason, { isFromPeer: true }),
  ]
  const service = new Service().unary(echo, () => Promise.reject(failures.shift()))
  const { mesh, connection, ended } = await scene(t, service)
  const call = async () =>
    Object(await rejectionOf(connection.call(echo, { text: '' }, mesh.call())))
  t.is((await call()).message, 'No server answers at [address]')
  for (let count = 0; count < 3; count += 1) await call()
  t.alike(
    ended.map((request) => request.reason),
    [reason, undefined, undefined, undefined],
    'and nothing that may quote the request, or that a peer said',
  )
  t.alike(
    ended.map((request) => 'reason' in request),
    [true, false, false, false],
  )
})

test('should report the chunks and the wait for the first when a stream ends', async (t) => {
  const { mesh, connection, ended, begun } = await scene(t)
  const answer = connection.open(count, { to: 3 }, mesh.call())
  t.is((await readAll(answer)).chunks.length, 3)
  await until('it to end', () => ended.length === 1)
  const { kind, method, code, chunks, firstChunkMs } = Object(ended[0])
  t.alike([kind, method, code, chunks, firstChunkMs], ['stream', 'gateway.count', 'OK', 3, 0])
  t.alike(begun, ['stream'])
})

test('should report no first chunk when a stream has none', async (t) => {
  const { mesh, connection, ended } = await scene(t)
  await readAll(connection.open(count, { to: 0 }, mesh.call()))
  await until('it to end', () => ended.length === 1)
  t.alike([ended[0]?.chunks, ended[0]?.firstChunkMs], [0, undefined])
})

test('should report a stream once when its caller cancels it', async (t) => {
  const { mesh, connection, ended, begun } = await scene(t)
  const answer = connection.open(count, { to: 1_000 }, mesh.call())
  await answer.next()
  await answer.return({ total: 0 })
  await until('it to end', () => ended.length > 0)
  await settle()
  t.alike([begun.length, ended.length, ended[0]?.code], [1, 1, 'CANCELLED'])
})

test('should name no method that the peer made up', async (t) => {
  const { mesh, connection, ended } = await scene(t)
  const made = stream({ ...count, name: 'my.password' })
  await rejectionOf(connection.open(made, { to: 1 }, mesh.call()).next())
  await until('it to end', () => ended.length === 1)
  t.alike([ended[0]?.method, ended[0]?.code], ['unknown', 'UNKNOWN_METHOD'])
})

test('should report a request that cannot be admitted', async (t) => {
  const { mesh, connection, ended } = await scene(t)
  const options = mesh.call()
  const wrong = { text: 'hi', more: 1 }
  await rejectionOf(connection.call(echo, wrong, options))
  t.alike(
    [ended[0]?.method, ended[0]?.code, ended[0]?.requestId],
    ['gateway.echo', 'INVALID_REQUEST', options.origin.requestId],
  )
})
