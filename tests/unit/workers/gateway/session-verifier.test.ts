import test from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { createOrigin } from '../../../../facilities/network/calls/request-context.js'
import { Service } from '../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { authProtocol } from '../../../../helpers/protocol/auth-protocol.js'
import { createPrivateKeyPem, SessionKeys } from '../../../../workers/auth/session-keys.js'
import { SessionVerifier } from '../../../../workers/gateway/session-verifier.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { createSession, createUserId, TEST_MESH } from '../../../helpers/factory.js'
import { type ConnectionStandIn, connectionTo } from '../../../helpers/network/peers-stand-in.js'

const USER = createUserId()
const random = new SystemRandom()

function scene() {
  const clock = new VirtualClock()
  const published: SessionKeys[] = []
  const service = new Service().unary(authProtocol.sessionKeys, async () => ({
    keys: published.flatMap((keys) => keys.publicKeys()),
  }))
  const connection = connectionTo(service, { caller: 'gateway', peer: 'auth' })
  let auth: ConnectionStandIn | undefined = connection
  const verifier = new SessionVerifier({ mesh: TEST_MESH, clock, auth: () => auth })
  return {
    clock,
    connection,
    /** A new key that the auth worker signs with from now on. */
    newKeys: () => {
      const keys = new SessionKeys(createPrivateKeyPem(random))
      published.splice(0, 1, keys)
      return keys
    },
    token: (keys: SessionKeys, mesh = TEST_MESH) =>
      createSession(keys, { nowMs: clock.now(), mesh }),
    verify: async (token: string) =>
      (await verifier.verify(token, { origin: createOrigin(clock, random) })).userId,
    setAuth: (isThere: boolean) => {
      auth = isThere ? connection : undefined
    },
  }
}

test('should identify the user of a session when the token is valid', async (t) => {
  const { newKeys, token, verify } = scene()
  t.is(await verify(token(newKeys())), USER)
})

test('should fetch the keys once when many sessions are verified', async (t) => {
  const { newKeys, token, verify, connection, clock } = scene()
  const session = token(newKeys())
  const users = await Promise.all(Array.from({ length: 20 }, () => verify(session)))
  t.is(new Set(users).size, 1)
  await clock.advance(10_000)
  t.is(await verify(session), USER)
  t.is(connection.call.callCount, 1)
})

test('should continue when the auth worker is unavailable', async (t) => {
  const { newKeys, token, verify, setAuth, clock } = scene()
  const session = token(newKeys())
  await verify(session)
  setAuth(false)
  await clock.advance(30_000)
  t.is(await verify(session), USER)
  await clock.advance(60_000 + 60_000)
  await t.exception(verify(session), /has expired/)
})

test('should fetch again when a token names a new key', async (t) => {
  const { newKeys, token, verify, connection, clock } = scene()
  await verify(token(newKeys()))
  const renewed = token(newKeys())
  await clock.advance(1_000)
  t.is(await verify(renewed), USER)
  t.is(connection.call.callCount, 2)
})

test('should refuse a session that was accepted before when its key was withdrawn', async (t) => {
  const { newKeys, token, verify, clock } = scene()
  const session = token(newKeys())
  t.is(await verify(session), USER)
  const renewed = token(newKeys())
  await clock.advance(1_000)
  t.is(await verify(renewed), USER)
  await t.exception(verify(session), { code: 'INVALID_CREDENTIAL' })
})

test('should fetch at most once a second when tokens name keys that do not exist', async (t) => {
  const { newKeys, token, verify, connection, clock } = scene()
  const session = token(newKeys())
  await verify(session)
  const forged = () => token(new SessionKeys(createPrivateKeyPem(random)))
  for (let tenth = 0; tenth < 30; tenth += 1) {
    await t.exception(verify(forged()), { code: 'INVALID_CREDENTIAL' })
    await clock.advance(100)
  }
  t.ok(connection.call.callCount <= 4, `${connection.call.callCount} calls in three seconds`)
  t.is(await verify(session), USER)
})

test('should not ask auth when a token is malformed', async (t) => {
  const { newKeys, verify, connection } = scene()
  newKeys()
  for (const rubbish of ['', 'rubbish', 'a.b.c', 'x'.repeat(5_000)]) {
    await t.exception(verify(rubbish), { code: 'INVALID_CREDENTIAL' })
  }
  t.is(connection.call.callCount, 0)
})

test('should refuse a session of another mesh', async (t) => {
  const { newKeys, token, verify } = scene()
  await t.exception(verify(token(newKeys(), 'cd'.repeat(32))), { code: 'INVALID_CREDENTIAL' })
})

test('should fail because auth is missing when no key is known and no auth worker is connected', async (t) => {
  const { newKeys, token, verify, setAuth } = scene()
  const session = token(newKeys())
  setAuth(false)
  await t.exception(verify(session), { code: 'AUTH_UNAVAILABLE', retryAfterMs: undefined })
  setAuth(true)
  t.is(await verify(session), USER, 'and is not kept waiting once auth is there')
})

test('should fail with a retryable error when a key is not known and auth is unavailable', async (t) => {
  const { newKeys, token, verify, setAuth, clock } = scene()
  await verify(token(newKeys()))
  const unknown = token(newKeys())
  setAuth(false)
  await clock.advance(2_000)
  await t.exception(verify(unknown), { code: 'AUTH_UNAVAILABLE', retryAfterMs: undefined })
})

test('should fail as the call does, and ask again, when the auth worker is lost', async (t) => {
  const { newKeys, token, verify, connection } = scene()
  const session = token(newKeys())
  connection.call.onFirstCall().rejects(new StarlingError('PEER_LOST', 'gone'))
  await t.exception(verify(session), { code: 'PEER_LOST' })
  t.is(await verify(session), USER)
})
