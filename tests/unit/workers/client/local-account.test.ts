import test, { type Test } from 'brittle'
import sinon from 'sinon'
import sodium from 'sodium-native'
import { configSchema } from '../../../../config/schema.js'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { ClientFolder } from '../../../../facilities/home/client-folder.js'
import { Home } from '../../../../facilities/home/home.js'
import { Service } from '../../../../facilities/network/calls/service.js'
import { accountKey } from '../../../../helpers/accounts/account-record.js'
import { Accounts } from '../../../../workers/auth/accounts.js'
import { AuthWorker } from '../../../../workers/auth/auth-worker.js'
import { PasswordHasher } from '../../../../workers/auth/passwords.js'
import { createPrivateKeyPem, SessionKeys } from '../../../../workers/auth/session-keys.js'
import { ClientAccounts } from '../../../../workers/client/accounts.js'
import { GatewayAccess } from '../../../../workers/client/gateway-access.js'
import { GatewayWorker } from '../../../../workers/gateway/gateway-worker.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { VirtualClock } from '../../../helpers/clock/virtual-clock.js'
import { TEST_MESH } from '../../../helpers/factory.js'
import { connectionTo, PeersStandIn } from '../../../helpers/network/peers-stand-in.js'
import { durableMemoryStore } from '../../../helpers/storage/durable-memory.js'
import { createRecords } from '../../../helpers/storage/local-records.js'

/** Long: the time of the test passes while sessions are written to a disk, which takes its own. */
const WAIT_MS = 600_000

/** Hashes in no time: the clock of the test does not wait for the processor. */
function hashAtOnce(cleanup: Cleanup): void {
  const hashOf = (password: Uint8Array) => `$hash$${Buffer.from(password).toString('base64')}`
  const hash = sinon.stub(sodium, 'crypto_pwhash_str_async').callsFake(async (out, password) => {
    out.set(Buffer.from(hashOf(password)))
  })
  const verify = sinon
    .stub(sodium, 'crypto_pwhash_str_verify_async')
    .callsFake(async (padded, password) => {
      return Buffer.from(padded).toString().replace(/\0+$/, '') === hashOf(password)
    })
  cleanup.add(async () => {
    hash.restore()
    verify.restore()
  })
}

/** An auth worker and a gateway with the limits that they have by default, and commands of one home. */
async function scene(t: Test) {
  const cleanup = new Cleanup(t)
  hashAtOnce(cleanup)
  const clock = new VirtualClock()
  const random = new SystemRandom()
  const config = configSchema.parse({})
  const store = durableMemoryStore()
  cleanup.add(() => store.close())
  const records = createRecords(store)
  cleanup.add(() => records.close())
  const auth = new AuthWorker({
    accounts: new Accounts({
      records,
      passwords: new PasswordHasher(),
      clock,
      random,
    }),
    sessionKeys: new SessionKeys(createPrivateKeyPem(random)),
    clock,
    mesh: TEST_MESH,
  })
  const auths = new PeersStandIn('auth')
  auths.connect(connectionTo(auth.service(), { caller: 'gateway', peer: 'auth' }))
  const service = new Service()
  const gateway = new GatewayWorker({
    ...config.gateway,
    service,
    auth: auths,
    processors: new PeersStandIn('processor'),
    mesh: TEST_MESH,
    clock,
    random,
  })
  cleanup.add(() => gateway.close())
  const gateways = new PeersStandIn('gateway')
  gateways.connect(connectionTo(service, { caller: 'client', peer: 'gateway' }))
  const home = await Home.open(await t.tmp())
  const command = async () => {
    const options = { gateways, lookedFor: 'gateways', clock, random, waitMs: WAIT_MS }
    const access = new GatewayAccess({ ...options, onWaiting: () => undefined })
    const folder = await ClientFolder.open(home, random)
    return new ClientAccounts({ gateway: access, folder, clock, waitMs: WAIT_MS })
  }
  const folder = await ClientFolder.open(home, random)
  const { email } = await folder.ensureLocalAccount()
  return { clock, email, command, records }
}

test('should open a session for each of twenty commands when a new home begins with all at once', async (t) => {
  const { clock, email, command, records } = await scene(t)
  const commands = await Promise.all(Array.from({ length: 20 }, command))
  const sessions = await clock.advanceUntil(
    Promise.all(commands.map((accounts) => accounts.session(new AbortController().signal))),
  )
  t.alike(new Set(sessions.map((session) => session.email)), new Set([email]))
  t.ok(await records.get(accountKey(email)))
})
