import test from 'brittle'
import { authProtocol } from '../../../../helpers/protocol/auth-protocol.js'
import { ANY_MEMBER, roles } from '../../../../helpers/protocol/call-policy.js'
import { requestHeaderSchema } from '../../../../helpers/protocol/envelope.js'
import { gatewayProtocol } from '../../../../helpers/protocol/gateway-protocol.js'
import { answererOf } from '../../../../helpers/protocol/method.js'
import { processorProtocol } from '../../../../helpers/protocol/processor-protocol.js'
import { rosterProtocol } from '../../../../helpers/protocol/roster-protocol.js'
import { workerProtocol } from '../../../../helpers/protocol/worker-protocol.js'

const TABLES = {
  auth: authProtocol,
  gateway: gatewayProtocol,
  processor: processorProtocol,
  worker: workerProtocol,
}

test('should name each method by its table and its key when it is called', (t) => {
  for (const [role, table] of Object.entries(TABLES)) {
    for (const [key, method] of Object.entries(table)) t.is(method.name, `${role}.${key}`)
  }
})

test('should name the answerer of each method of the roster', (t) => {
  t.is(answererOf(rosterProtocol.newest), 'worker')
  t.is(answererOf(rosterProtocol.enlist), 'auth')
})

test('should have a timeout and callers, whatever the method', (t) => {
  for (const table of [...Object.values(TABLES), rosterProtocol]) {
    for (const method of Object.values(table)) {
      const { timeoutMs, callers, name } = method
      t.ok(timeoutMs === 'lasting' || (timeoutMs > 0 && timeoutMs <= 86_400_000), name)
      t.ok(callers.roles.length > 0, name)
    }
  }
})

test('should keep clients away when a method belongs to the inner workers', (t) => {
  t.alike(processorProtocol.generate.callers, roles('gateway'))
  for (const method of Object.values(authProtocol)) {
    t.alike(method.callers, roles('gateway'))
  }
  t.alike(rosterProtocol.enlist.callers, roles('gateway', 'processor'))
})

test('should refuse a field that it does not know, whatever the method', (t) => {
  const requests = [
    authProtocol.login.request.safeParse({ email: 'a@b.cz', password: 'x'.repeat(8), admin: 1 }),
    authProtocol.sessionKeys.request.safeParse({ more: 1 }),
    gatewayProtocol.infer.request.safeParse({
      credential: 'x',
      messages: [{ role: 'user', content: 'hi' }],
      userId: 'usr_1',
    }),
    processorProtocol.load.request.safeParse({ more: 1 }),
    rosterProtocol.newest.request.safeParse({ newerThan: 0, more: 1 }),
    rosterProtocol.enlist.request.safeParse({ publicKey: 'ab'.repeat(32) }),
    ...Object.values(workerProtocol).map(({ request }) => request.safeParse({ more: 1 })),
  ]
  for (const result of requests) t.absent(result.success)
})

test('should let everybody ask how a worker is, even one that leaves, without filling its log', (t) => {
  t.alike(Object.keys(workerProtocol), ['ping', 'info', 'stats'])
  for (const { callers, whileDraining, isPoll } of Object.values(workerProtocol)) {
    t.alike([callers, whileDraining, isPoll], [ANY_MEMBER, true, true])
  }
  t.ok(processorProtocol.load.isPoll)
})

test('should refuse a header when a wait, an id or a trace is out of bounds', (t) => {
  const good = {
    requestId: 'req_1',
    remainingMs: 1,
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  }
  t.ok(requestHeaderSchema.safeParse(good).success)
  const wrong = [
    { remainingMs: 0 },
    { remainingMs: -1 },
    { remainingMs: 1.5 },
    { remainingMs: 86_400_001 },
    { remainingMs: '1000' },
    { requestId: '' },
    { requestId: 'r'.repeat(65) },
    { traceparent: 'none' },
    { traceparent: `${good.traceparent}-more` },
    { more: 1 },
  ]
  for (const change of wrong) {
    t.absent(requestHeaderSchema.safeParse({ ...good, ...change }).success, JSON.stringify(change))
  }
})
