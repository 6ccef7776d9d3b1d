import test, { type Test } from 'brittle'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { ClientFolder } from '../../../../facilities/home/client-folder.js'
import { Home } from '../../../../facilities/home/home.js'
import { Service } from '../../../../facilities/network/service.js'
import { StarlingError } from '../../../../helpers/errors/starling-error.js'
import { gatewayProtocol } from '../../../../helpers/protocol/gateway-protocol.js'
import { ClientAccounts } from '../../../../workers/client/accounts.js'
import { GatewayAccess } from '../../../../workers/client/gateway-access.js'
import { connectionTo, PeersStandIn } from '../../../helpers/peers-stand-in.js'
import { until } from '../../../helpers/until.js'
import { VirtualClock } from '../../../helpers/virtual-clock.js'

const ADA = { email: 'ada@example.com', password: 'correct horse' }
const HOUR_MS = 3_600_000
const never = new AbortController().signal

/** A client, and a gateway that keeps accounts as a mesh would. */
async function scene(t: Test) {
  const clock = new VirtualClock()
  const random = new SystemRandom()
  const passwords = new Map<string, string>()
  const calls: string[] = []
  const login = { answered: Promise.resolve() }
  let opened = 0
  const service = new Service()
    .unary(gatewayProtocol.register, async ({ email, password }) => {
      calls.push('register')
      if (passwords.has(email)) throw new StarlingError('EMAIL_TAKEN', `${email} is taken`)
      passwords.set(email, password)
      return { userId: 'usr_1' }
    })
    .unary(gatewayProtocol.login, async ({ email, password }) => {
      calls.push('login')
      const isRight = passwords.get(email) === password
      await login.answered
      if (!isRight) throw new StarlingError('INVALID_CREDENTIAL', 'wrong')
      opened += 1
      return { token: `token.${opened}`, expiresInMs: HOUR_MS }
    })
  const gateways = new PeersStandIn('gateway')
  gateways.connect(connectionTo(service, { caller: 'client', peer: 'gateway' }))
  const folder = await ClientFolder.open(await Home.open(await t.tmp()), random)
  const client = () => {
    const options = { gateways, lookedFor: 'gateways', clock, random, waitMs: 0 }
    const gateway = new GatewayAccess({ ...options, onWaiting: () => undefined })
    return new ClientAccounts({ gateway, folder, clock })
  }
  return { clock, passwords, calls, folder, accounts: client(), client, login }
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

test('should know the address by its one spelling when it is written otherwise', async (t) => {
  const { accounts, passwords } = await scene(t)
  const { email } = await accounts.register({ ...ADA, email: ' Ada@Example.COM ' }, never)
  t.is(email, ADA.email)
  t.alike([...passwords.keys()], [ADA.email])
})

test('should send nothing when the address or the password cannot be right', async (t) => {
  const { accounts, calls } = await scene(t)
  const wrong = [
    { ...ADA, email: 'ada' },
    { ...ADA, password: 'short' },
  ]
  for (const credential of wrong) {
    await t.exception(accounts.register(credential, never), { code: 'INVALID_REQUEST' })
    await t.exception(accounts.login(credential, never), { code: 'INVALID_REQUEST' })
  }
  t.alike(calls, [])
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
  await clock.advance(HOUR_MS - 60_000)
  await t.exception(accounts.session(never), {
    code: 'NOT_LOGGED_IN',
    message: 'There is no session, or it has ended',
  })
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
  await clock.advance(HOUR_MS - 60_000)
  t.is((await accounts.session(never)).token, 'token.2')
  t.alike(calls, ['login'], 'without registering again')
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
  const { folder, clock, calls } = await scene(t)
  await folder.ensureLocalAccount()
  const gateway = new GatewayAccess({
    gateways: new PeersStandIn('gateway'),
    lookedFor: 'gateways',
    clock,
    random: new SystemRandom(),
    waitMs: 0,
    onWaiting: () => undefined,
  })
  const accounts = new ClientAccounts({ gateway, folder, clock })
  await t.exception(accounts.session(never), { code: 'GATEWAY_NOT_FOUND' })
  t.alike(calls, [])
})
