import test from 'brittle'
import { z } from 'zod'
import { Service } from '../../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../../helpers/errors/starling-error.js'
import { ANY_MEMBER, rolesOr } from '../../../../../helpers/protocol/call-policy.js'
import { jsonChunks } from '../../../../../helpers/protocol/chunk-codec.js'
import { stream, unary } from '../../../../../helpers/protocol/method.js'
import { VirtualClock } from '../../../../helpers/clock/virtual-clock.js'
import { requestContext } from '../../../../helpers/network/call-service.js'
import { PipedMesh } from '../../../../helpers/network/piped-mesh.js'
import { requestOptions } from '../../../../helpers/network/sample-service.js'
import { linkTo } from '../../../../helpers/network/service-link.js'
import { rejectionOf, settle } from '../../../../helpers/until.js'

const policy = {
  request: z.strictObject({ ticket: z.string() }),
  timeoutMs: 2_000,
  idempotent: true,
  callers: rolesOr(['processor'], 'ticket'),
}
const enter = unary({ ...policy, name: 'gateway.enter', response: z.strictObject({}) })
const watch = stream({
  ...policy,
  name: 'gateway.watch',
  chunk: jsonChunks(z.strictObject({ n: z.number() })),
  end: z.strictObject({}),
})

/** A service whose methods are for processors, and for whoever has a ticket. */
function ticketService() {
  const answered: string[] = []
  const service = new Service()
    .unary(enter, async ({ ticket }) => {
      answered.push(ticket)
      return {}
    })
    .stream(watch, async function* ({ ticket }) {
      answered.push(ticket)
      yield { n: 1 }
      return {}
    })
  return { service, answered }
}

test('should answer a caller without the role when the verifier accepts its request', async (t) => {
  const { service, answered } = ticketService()
  const seen: unknown[] = []
  service.verifier('ticket', async (request, { peer }) => {
    seen.push([request, peer.certificate.roles])
    if (Object(request).ticket !== 'valid') {
      throw new StarlingError('INVALID_CREDENTIAL', 'The ticket has expired')
    }
  })
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(service)
  const call = (ticket: string) => connection.call(enter, { ticket }, mesh.call())
  const open = (ticket: string) => connection.open(watch, { ticket }, mesh.call()).next()
  t.alike(await call('valid'), {})
  t.alike((await open('valid')).value, { n: 1 })
  for (const refused of [call('old'), open('old')]) {
    const error = Object(await rejectionOf(refused))
    t.alike([error.code, error.message], ['INVALID_CREDENTIAL', 'The ticket has expired'])
  }
  t.alike(answered, ['valid', 'valid'])
  t.alike(seen[0], [{ ticket: 'valid' }, ['client']])
  t.is(Object(await rejectionOf(call(7 as never))).code, 'INVALID_REQUEST', 'and is not verified')
  t.is(seen.length, 4)
})

test('should not verify a caller that has the role', async (t) => {
  const { service, answered } = ticketService()
  service.verifier('ticket', () => Promise.reject(new Error('not for processors')))
  const mesh = new PipedMesh(t)
  const gateway = await mesh.node('gateway', { service })
  const connection = await mesh.dial(await mesh.node('processor'), gateway)
  t.alike(await connection.call(enter, { ticket: 'none' }, mesh.call()), {})
  t.alike(answered, ['none'])
})

test('should refuse whoever lacks the role when the worker has no such verifier', async (t) => {
  const { service, answered } = ticketService()
  service.verifier('other', async () => undefined)
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(service)
  const error = Object(await rejectionOf(connection.call(enter, { ticket: 'x' }, mesh.call())))
  t.is(error.code, 'FORBIDDEN')
  t.ok(error.message.startsWith('gateway.enter is for processor; client'), error.message)
  t.alike(answered, [])
})

test('should wait for a request that is being verified when the worker leaves', async (t) => {
  const { service } = ticketService()
  let accept = () => {}
  service.verifier(
    'ticket',
    () =>
      new Promise<void>((resolve) => {
        accept = resolve
      }),
  )
  const mesh = new PipedMesh(t)
  const { connection } = await mesh.connected(service)
  const call = connection.call(enter, { ticket: 'x' }, mesh.call())
  await settle(10)
  let isDrained = false
  const draining = service.drain().then(() => {
    isDrained = true
  })
  await settle()
  t.absent(isDrained)
  accept()
  t.alike(await call, {})
  await draining
})

test('should answer a member whose roles it does not know when every member may call', async (t) => {
  const about = unary({
    name: 'worker.about',
    request: z.strictObject({}),
    response: z.strictObject({ known: z.boolean() }),
    timeoutMs: 2_000,
    idempotent: true,
    callers: ANY_MEMBER,
  })
  const { peer } = requestContext('client')
  const caller = { ...peer, certificate: { ...peer.certificate, roles: ['keeper'] } }
  const service = new Service().unary(about, async () => ({ known: false }))
  const connection = await linkTo(service, { caller, peer: requestContext('gateway').peer })
  t.teardown(() => connection.destroy())
  t.alike(await connection.call(about, {}, requestOptions(new VirtualClock())), { known: false })
})
