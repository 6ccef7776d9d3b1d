import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { ClientFolder } from '../../../../facilities/home/client-folder.js'
import { Home } from '../../../../facilities/home/home.js'
import { Service } from '../../../../facilities/network/calls/service.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { gatewayProtocol } from '../../../../helpers/protocol/gateway-protocol.js'
import { ClientAccounts } from '../../../../workers/client/accounts.js'
import { GatewayAccess } from '../../../../workers/client/gateway-access.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { createAccount } from '../../../helpers/factory.js'
import { connectionTo, PeersStandIn } from '../../../helpers/network/peers-stand-in.js'
import { until } from '../../../helpers/until.js'

const ADA = createAccount()
const HOUR_MS = 3_600_000
const never = new AbortController().signal

/** A client, and a gateway that keeps accounts as a mesh would. */
async function scene(t: Test) {
  const clock = new VirtualClock()
  const random = new SystemRandom()
  const passwords = new Map<string, string>()
  const calls: string[] = []
  const registration = { failure: undefined as StarlingError | undefined }
  const login = { answered: Promise.resolve(), failure: undefined as StarlingError | undefined }
  let opened = 0
  const service = new Service()
    .unary(gatewayProtocol.register, async ({ email, password }) => {
      calls.push('register')
      if (registration.failure) throw registration.failure
      if (passwords.has(email)) throw new StarlingError('EMAIL_TAKEN', `${email} is taken`)
      passwords.set(email, password)
      return { userId: 'usr_1' }
    })
    .unary(gatewayProtocol.login, async ({ email, password }) => {
      calls.push('login')
      const isRight = passwords.get(email) === password
      await login.answered
      if (login.failure) throw login.failure
      if (!isRight) throw new StarlingError('INVALID_CREDENTIAL', 'wrong')
      opened += 1
      return { token: `token.${opened}`, expiresInMs: HOUR_MS }
    })
  const gateways = new PeersStandIn('gateway')
  const connection = connectionTo(service, { caller: 'client', peer: 'gateway' })
  gateways.connect(connection)
  const folder = await ClientFolder.open(await Home.open(await t.tmp()), random)
  const client = () => {
    const options = { gateways, lookedFor: 'gateways', clock, random, waitMs: 0 }
    const gateway = new GatewayAccess({ ...options, onWaiting: () => undefined })
    const proveLocal = async () => 'cHJvb2Y='
    return new ClientAccounts({ gateway, folder, clock, waitMs: 15_000, proveLocal })
  }
  return {
    clock,
    passwords,
    calls,
    folder,
    accounts: client(),
    client,
    login,
    registration,
    connection,
  }
}

test('should log in and keep the session when an account is registered', async (t) => {
  const { accounts, calls, folder, clock } = await scene(t)
  const session = await accounts.register(ADA, never)
  t.alike(calls, ['register', 'login'])
  t.alike(session, {
    email: ADA.email,
    token: 'token.1',
    expiresAt: clock.now() + HOUR_MS,
  })
  t.alike(await folder.session(), session)
})

test('should normalize an address when it is spelled differently', async (t) => {
  const { accounts, passwords } = await scene(t)
  const otherwise = { ...ADA, email: ' Ada@Example.COM ' }
  t.is((await accounts.register(otherwise, never)).email, ADA.email)
  t.is((await accounts.login(otherwise, never)).email, ADA.email)
  t.alike([...passwords.keys()], [ADA.email])
})

test('should send nothing when the address or the password cannot be right', async (t) => {
  const { accounts, connection } = await scene(t)
  const wrong = [
    { ...ADA, email: 'ada' },
    { ...ADA, password: 'short' },
  ]
  for (const credential of wrong) {
    await t.exception(accounts.register(credential, never), { code: 'INVALID_REQUEST' })
    await t.exception(accounts.login(credential, never), { code: 'INVALID_REQUEST' })
  }
  t.is(connection.call.callCount, 0)
})

test('should keep the old session when a login fails', async (t) => {
  const { accounts, folder } = await scene(t)
  await accounts.register(ADA, never)
  await t.exception(accounts.login({ ...ADA, password: 'wrong horse' }, never), {
    code: 'INVALID_CREDENTIAL',
  })
  t.is((await folder.session())?.token, 'token.1')
})

test('should use the session that was kept when it has time left', async (t) => {
  const { accounts, calls, clock, client } = await scene(t)
  await accounts.register(ADA, never)
  calls.length = 0
  await clock.advance(HOUR_MS - 60_001)
  t.is((await client().session(never)).token, 'token.1')
  t.alike(calls, [])
})

test('should ask for a login when the session is over and there is no local account', async (t) => {
  const { accounts, clock } = await scene(t)
  await t.exception(accounts.session(never), { code: 'NOT_LOGGED_IN' })
  await accounts.register(ADA, never)
  await clock.advance(HOUR_MS - 5_000)
  await t.exception(accounts.session(never), {
    code: 'NOT_LOGGED_IN',
    message: 'The session of ada@example.com has expired',
  })
})

test('should prove that the local account is the one of this machine, and nothing of others', async (t) => {
  const { accounts, folder, connection } = await scene(t)
  await accounts.register(ADA, never)
  await folder.removeSession()
  const { email } = await folder.ensureLocalAccount()
  await accounts.session(never)
  const proofs = connection.call.args.flatMap(([{ name }, body]) =>
    name === 'gateway.login' ? [[Object(body).email, Object(body).localProof]] : [],
  )
  t.alike(proofs, [
    [ADA.email, undefined],
    [email, 'cHJvb2Y='],
    [email, 'cHJvb2Y='],
  ])
})

test('should register the local account when it is used for the first time', async (t) => {
  const { accounts, calls, folder, passwords } = await scene(t)
  const { email, password } = await folder.ensureLocalAccount()
  const session = await accounts.session(never)
  t.alike(calls, ['login', 'register', 'login'])
  t.is(session.email, email)
  t.is(passwords.get(email), password)
  t.alike(await folder.session(), session)
})

test('should renew the session by the local account when it is nearly over', async (t) => {
  const { accounts, calls, folder, clock } = await scene(t)
  await folder.ensureLocalAccount()
  await accounts.session(never)
  calls.length = 0
  await clock.advance(HOUR_MS - 5_000)
  t.is((await accounts.session(never)).token, 'token.2')
  t.alike(calls, ['login'], 'without registering again')
})

test('should not become the local account when the session of another user has ended', async (t) => {
  const { accounts, calls, folder, clock } = await scene(t)
  await folder.ensureLocalAccount()
  await accounts.register(ADA, never)
  calls.length = 0
  await clock.advance(HOUR_MS)
  await t.exception(accounts.session(never), { code: 'NOT_LOGGED_IN' })
  t.alike(calls, [])
  t.is((await folder.session())?.email, 'ada@example.com')
})

test('should serve both when two commands use the local account for the first time', async (t) => {
  const { folder, client, passwords, calls, login } = await scene(t)
  await folder.ensureLocalAccount()
  let answer = () => {}
  login.answered = new Promise((resolve) => {
    answer = resolve
  })
  const both = Promise.all([client().session(never), client().session(never)])
  await until('both to have tried', () => calls.length === 2)
  answer()
  const sessions = await both
  t.is(passwords.size, 1)
  t.is(new Set(sessions.map(({ email }) => email)).size, 1)
})

test('should fail as the login does when the mesh has another password for the local account', async (t) => {
  const { accounts, folder, passwords } = await scene(t)
  const { email } = await folder.ensureLocalAccount()
  passwords.set(email, 'somebody else was first')
  await t.exception(accounts.session(never), { code: 'INVALID_CREDENTIAL' })
})

test('should register nothing when the login fails for another reason', async (t) => {
  const { accounts, folder, calls, login } = await scene(t)
  await folder.ensureLocalAccount()
  login.failure = new StarlingError('OVERLOADED', 'busy')
  await t.exception(accounts.session(never), { code: 'OVERLOADED' })
  t.alike(calls, ['login'])
})

test('should make a request once more with a new session when the first is not accepted', async (t) => {
  const { accounts, folder } = await scene(t)
  await folder.ensureLocalAccount()
  const tokens: string[] = []
  const request = async ({ token }: { token: string }) => {
    tokens.push(token)
    if (token === 'token.1') throw new StarlingError('INVALID_CREDENTIAL', 'not accepted')
    return 'done'
  }
  t.is(await accounts.withSession(never, request), 'done')
  t.alike(tokens, ['token.1', 'token.2'])
})

test('should make no second request when the first failed for another reason, or a password is needed', async (t) => {
  const { accounts, folder } = await scene(t)
  await accounts.register(ADA, never)
  let requests = 0
  const failing = (code: 'PEER_LOST' | 'INVALID_CREDENTIAL') => async () => {
    requests += 1
    throw new StarlingError(code, code)
  }
  await t.exception(accounts.withSession(never, failing('INVALID_CREDENTIAL')), {
    code: 'INVALID_CREDENTIAL',
  })
  await folder.ensureLocalAccount()
  await t.exception(accounts.withSession(never, failing('PEER_LOST')), { code: 'PEER_LOST' })
  t.is(requests, 2)
})

test('should wait and log in when logins of the local account are delayed', async (t) => {
  const { accounts, folder, calls, login, clock } = await scene(t)
  await folder.ensureLocalAccount()
  login.failure = new StarlingError('RATE_LIMITED', 'later', { retryAfterMs: 4_000 })
  const opened = accounts.session(never)
  await until('the first try', () => calls.length === 1)
  await clock.advance(4_000)
  t.alike(calls, ['login', 'login'])
  login.failure = undefined
  await clock.advance(4_000)
  t.ok((await opened).token)
  t.alike(calls, ['login', 'login', 'login', 'register', 'login'])
})

test('should give up when logins of the local account are delayed for longer than it waits', async (t) => {
  const { accounts, folder, calls, login, clock } = await scene(t)
  await folder.ensureLocalAccount()
  login.failure = new StarlingError('RATE_LIMITED', 'later', { retryAfterMs: 8_000 })
  const opened = t.exception(accounts.session(never), { code: 'RATE_LIMITED' })
  await until('the first try', () => calls.length === 1)
  await clock.advance(8_000)
  await opened
  t.is(calls.length, 2)
})

test('should say at once that logins are delayed', async (t) => {
  const { accounts, calls, login } = await scene(t)
  login.failure = new StarlingError('RATE_LIMITED', 'later', { retryAfterMs: 1_000 })
  await t.exception(accounts.login(ADA, never), { code: 'RATE_LIMITED', retryAfterMs: 1_000 })
  t.alike(calls, ['login'])
})

test('should say why the local account is not there when it cannot be registered now', async (t) => {
  const { accounts, folder, registration, calls } = await scene(t)
  await folder.ensureLocalAccount()
  registration.failure = new StarlingError('RATE_LIMITED', 'later', { retryAfterMs: 360_000 })
  await t.exception(accounts.session(never), { code: 'RATE_LIMITED', retryAfterMs: 360_000 })
  t.alike(calls, ['login', 'register', 'login'])
})
