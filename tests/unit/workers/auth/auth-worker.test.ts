import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import type { RequestContext } from '../../../../facilities/network/calls/request-context.js'
import { Service } from '../../../../facilities/network/calls/service.js'
import { proveLocalAccount } from '../../../../helpers/identity/local-account-proof.js'
import type { Role } from '../../../../helpers/identity/roles.js'
import { verifySessionToken } from '../../../../helpers/identity/session-token.js'
import { authProtocol } from '../../../../helpers/protocol/auth-protocol.js'
import { Accounts } from '../../../../workers/auth/accounts.js'
import { AuthWorker, SESSION_LIFETIME } from '../../../../workers/auth/auth-worker.js'
import { PasswordHasher } from '../../../../workers/auth/passwords.js'
import { createPrivateKeyPem, SessionKeys } from '../../../../workers/auth/session-keys.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { createAccount } from '../../../helpers/factory.js'
import { newKeyPair } from '../../../helpers/network/mesh-authority.js'
import { durableMemoryStore } from '../../../helpers/storage/durable-memory.js'
import { createRecords } from '../../../helpers/storage/local-records.js'

const ROOT = newKeyPair()
const MESH = Buffer.from(ROOT.publicKey).toString('hex')
const PEER = '01'.repeat(32)
const ADA = { ...createAccount(), peer: PEER }

function contextOf(role: Role, signal = new AbortController().signal): RequestContext {
  return {
    requestId: 'req_1',
    traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
    signal,
    remainingMs: () => 10_000,
    peer: {
      publicKey: new Uint8Array(32),
      certificate: {
        mesh: MESH,
        publicKey: '00'.repeat(32),
        roles: [role],
        name: `${role}@here`,
        serial: 'crt_1',
        expiresAt: 1,
      },
      version: 1,
    },
  }
}

function createWorker(t: Test, sessionLifetimeMs?: number) {
  const store = durableMemoryStore()
  const records = createRecords(store)
  t.teardown(() => store.close())
  t.teardown(() => records.close(), { order: -1 })
  const clock = new VirtualClock()
  const random = new SystemRandom()
  const passwords = new PasswordHasher({ passes: 1, memoryBytes: 8192 })
  const worker = new AuthWorker({
    accounts: new Accounts({ records, passwords, clock, random }),
    sessionKeys: new SessionKeys(createPrivateKeyPem(random)),
    clock,
    mesh: MESH,
    ...(sessionLifetimeMs === undefined ? {} : { sessionLifetimeMs }),
  })
  const service = worker.service()
  /** What a caller is answered, by the contract. */
  const call = async (name: string, body: unknown, context = contextOf('gateway')) => {
    for (const bound of service.unaryMethods) {
      if (bound.method.name === name) {
        return bound.method.response.parse(await bound.answer(body, context))
      }
    }
    throw new Error(`${name} is not answered`)
  }
  return { worker, clock, call, root: ROOT }
}

test('should open a session that gateways verify by themselves when the login is valid', async (t) => {
  const { clock, call } = createWorker(t)
  const registered = authProtocol.register.response.parse(await call('auth.register', ADA))
  const session = authProtocol.login.response.parse(await call('auth.login', ADA))
  const published = authProtocol.sessionKeys.response.parse(await call('auth.sessionKeys', {}))
  t.is(session.expiresInMs, 12 * 60 * 60 * 1000)

  const keys = new Map(published.keys.map((key) => [key.keyId, key.publicKeyPem]))
  const verify = () => verifySessionToken(session.token, { mesh: MESH, keys, nowMs: clock.now() })
  const claims = verify()
  t.is(claims.userId, registered.userId)
  t.is(claims.expiresAtMs, clock.now() + session.expiresInMs)
  await clock.advance(session.expiresInMs + 60_000)
  await t.exception(async () => verify(), { code: 'INVALID_CREDENTIAL' })
})

test('should open a session of the local account when the root key of the mesh authorizes it', async (t) => {
  const { clock, call, root } = createWorker(t)
  const local = { ...createAccount('local'), peer: PEER }
  await call('auth.register', local)
  await call('auth.register', ADA)
  const { keys: published } = authProtocol.sessionKeys.response.parse(
    await call('auth.sessionKeys', {}),
  )
  const keys = new Map(published.map((key) => [key.keyId, key.publicKeyPem]))
  const isLocal = async (login: object) => {
    const { token } = authProtocol.login.response.parse(await call('auth.login', login))
    return verifySessionToken(token, { mesh: MESH, keys, nowMs: clock.now() }).isLocal
  }
  const localProof = proveLocalAccount(root, local)
  t.is(await isLocal({ ...local, localProof }), true)
  t.is(await isLocal(local), undefined)
  t.is(await isLocal({ ...ADA, localProof }), undefined, 'the proof of another account')
  t.is(await isLocal({ ...ADA, localProof: proveLocalAccount(newKeyPair(), ADA) }), undefined)
  await t.exception(call('auth.login', { ...local, password: 'wrong password', localProof }), {
    code: 'INVALID_CREDENTIAL',
  })
  await t.exception(call('auth.register', { ...local, localProof }), { code: 'INVALID_REQUEST' })
})

test('should refuse a login when the password is wrong', async (t) => {
  const { call } = createWorker(t)
  await call('auth.register', ADA)
  await t.exception(call('auth.login', { ...ADA, password: 'wrong password' }), {
    code: 'INVALID_CREDENTIAL',
  })
})

test('should refuse a registration when the address is taken', async (t) => {
  const { call } = createWorker(t)
  await call('auth.register', ADA)
  await t.exception(call('auth.register', ADA), { code: 'EMAIL_TAKEN' })
})

test('should answer no caller that is not a gateway', async (t) => {
  const { call } = createWorker(t)
  for (const method of Object.values(authProtocol)) {
    for (const role of ['processor', 'client'] as const) {
      await t.exception(call(method.name, ADA, contextOf(role)), { code: 'FORBIDDEN' })
    }
  }
})

test('should refuse a request when it has an unknown field', async (t) => {
  const { call } = createWorker(t)
  await t.exception(call('auth.register', { ...ADA, role: 'admin' }), { code: 'INVALID_REQUEST' })
  await t.exception(call('auth.sessionKeys', { all: true }), { code: 'INVALID_REQUEST' })
})

test('should hash nothing when the caller has already disconnected', async (t) => {
  const { call } = createWorker(t)
  const gone = contextOf('gateway', AbortSignal.abort(new Error('gone')))
  await t.exception(call('auth.register', ADA, gone), /gone/)
  await t.exception(call('auth.login', ADA, gone), /gone/)
})

test('should use the configured lifetime of sessions when one is set', async (t) => {
  const { call } = createWorker(t, 60_000)
  await call('auth.register', ADA)
  const session = authProtocol.login.response.parse(await call('auth.login', ADA))
  t.is(session.expiresInMs, 60_000)
})

test('should refuse its settings when sessions would last too long or too short', async (t) => {
  const { minMs, maxMs } = SESSION_LIFETIME
  for (const wrong of [0, minMs - 1, maxMs + 1, Number.NaN, 90_000.5]) {
    await t.exception(async () => createWorker(t, wrong), { code: 'CONFIG_INVALID' })
  }
})

test('should add its methods to a service when one is passed in', (t) => {
  const { worker } = createWorker(t)
  const service = new Service()
  t.is(worker.service(service), service)
  t.alike(
    [...service.unaryMethods].map(({ method }) => method.name),
    ['auth.register', 'auth.login', 'auth.sessionKeys'],
  )
})
