import test, { type Test } from 'brittle'
import type { RequestContext } from '../../../../facilities/network/calls/request-context.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { gatewayProtocol } from '../../../../helpers/protocol/gateway-protocol.js'
import type { AccountCallSettings } from '../../../../workers/gateway/account-calls.js'
import { createAccount } from '../../../helpers/factory.js'
import { callUnary, requestContext } from '../../../helpers/network/call-service.js'
import { rejectionOf } from '../../../helpers/until.js'
import { gatewayScene } from '../../../helpers/workers/gateway-scene.js'

const ADA = createAccount()
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** A request of the client with that key. */
function clientWith(key: number): RequestContext {
  const { peer, ...context } = requestContext('client')
  return { ...context, peer: { ...peer, publicKey: new Uint8Array(32).fill(key) } }
}

async function scene(t: Test, changes: Partial<AccountCallSettings> = {}) {
  const gateway = await gatewayScene(t, {
    registrationsPerHour: 3,
    loginsPerMinute: 5,
    maxCountedClients: 100,
    ...changes,
  })
  const { service } = gateway
  const call = {
    register: (key: number) =>
      callUnary(service, gatewayProtocol.register, ADA, clientWith(key)).then(() => undefined),
    login: (key: number) =>
      callUnary(service, gatewayProtocol.login, ADA, clientWith(key)).then(() => undefined),
  }
  /** How many of so many calls of a client are passed on to auth. */
  const passing = async (method: keyof typeof call, key: number, calls: number) => {
    let passed = 0
    for (let count = 0; count < calls; count += 1) {
      try {
        await call[method](key)
        passed += 1
      } catch (error) {
        if (Object(error).code !== 'RATE_LIMITED') throw error
      }
    }
    return passed
  }
  return { ...gateway, call, passing }
}

test('should refuse further registrations of a client and accept those of others when it makes many', async (t) => {
  const { passing, connectAuth, clock } = await scene(t)
  connectAuth()
  t.is(await passing('register', 1, 602), 3)
  t.is(await passing('register', 2, 3), 3)
  t.is(await passing('login', 1, 1), 1, 'logins are counted separately')
  await clock.advance(HOUR_MS / 3 - 1)
  t.is(await passing('register', 1, 1), 0)
  await clock.advance(1)
  t.is(await passing('register', 1, 2), 1)
})

test('should refuse further logins of a client and accept those of others when it tries many', async (t) => {
  const { passing, connectAuth, clock } = await scene(t)
  connectAuth()
  t.is(await passing('login', 1, 100), 5)
  t.is(await passing('login', 2, 5), 5)
  await clock.advance(MINUTE_MS / 5)
  t.is(await passing('login', 1, 100), 1)
})

test('should name the limit and the time of the next accepted call when it refuses one', async (t) => {
  const { passing, call, connectAuth } = await scene(t)
  connectAuth()
  await passing('register', 1, 3)
  await passing('login', 1, 5)
  const registration = Object(await rejectionOf(call.register(1)))
  t.alike([registration.code, registration.retryAfterMs], ['RATE_LIMITED', HOUR_MS / 3])
  t.ok(/3 registrations per hour.* 20\.0 min/.test(registration.message), registration.message)
  const login = Object(await rejectionOf(call.login(1)))
  t.alike([login.code, login.retryAfterMs], ['RATE_LIMITED', MINUTE_MS / 5])
  t.ok(/5 logins per minute.* 12\.0 s/.test(login.message), login.message)
})

test('should not count a call that auth could not take', async (t) => {
  const { passing, call, connectAuth, authConnection } = await scene(t)
  for (let count = 0; count < 10; count += 1) {
    await t.exception(call.login(1), { code: 'AUTH_UNAVAILABLE' })
  }
  connectAuth()
  for (const code of ['OVERLOADED', 'DRAINING', 'PEER_UNREACHABLE', 'AUTH_UNAVAILABLE'] as const) {
    authConnection.call.onCall(authConnection.call.callCount).rejects(new StarlingError(code, code))
    await t.exception(call.login(1), { code })
  }
  t.is(await passing('login', 1, 100), 5)
})

test('should count a call that auth refuses', async (t) => {
  const { passing, call, connectAuth, authConnection } = await scene(t)
  connectAuth()
  authConnection.call.rejects(new StarlingError('INVALID_CREDENTIAL', 'wrong'))
  for (let count = 0; count < 5; count += 1) {
    await t.exception(call.login(1), { code: 'INVALID_CREDENTIAL' })
  }
  t.is(await passing('login', 1, 1), 0)
})

test('should name the client on whose behalf it calls auth', async (t) => {
  const { passing, connectAuth, authConnection } = await scene(t)
  connectAuth()
  await passing('register', 1, 1)
  await passing('login', 2, 1)
  t.alike(
    authConnection.call.args.map(([method, body]) => [method.name, body]),
    [
      ['auth.register', { ...ADA, peer: '01'.repeat(32) }],
      ['auth.login', { ...ADA, peer: '02'.repeat(32) }],
    ],
  )
})

test('should keep no more clients than its bound and forget each when its limit is free again', async (t) => {
  const { passing, call, connectAuth, clock } = await scene(t, { maxCountedClients: 2 })
  connectAuth()
  await passing('login', 1, 1)
  await passing('login', 2, 1)
  await t.exception(call.login(3), { code: 'OVERLOADED', retryAfterMs: MINUTE_MS / 5 })
  t.is(await passing('register', 3, 1), 1, 'registrations have room of their own')
  await clock.advance(MINUTE_MS / 5)
  t.is(await passing('login', 3, 1), 1)
})

test('should limit nothing when the settings say so', async (t) => {
  const { passing, connectAuth } = await scene(t, { registrationsPerHour: 0, loginsPerMinute: 0 })
  connectAuth()
  t.is(await passing('register', 1, 50), 50)
  t.is(await passing('login', 1, 50), 50)
})
