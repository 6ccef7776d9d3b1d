import test, { type Test } from 'brittle'
import { configSchema } from '../../../../config/schema.js'
import { SystemRandom } from '../../../../facilities/clock/random.js'
import { ClientFolder } from '../../../../facilities/home/client-folder.js'
import { Home } from '../../../../facilities/home/home.js'
import { Service } from '../../../../facilities/network/service.js'
import { DurableRecords } from '../../../../facilities/store/durable-records.js'
import { Accounts, accountRecordSchema } from '../../../../workers/auth/accounts.js'
import { AuthWorker } from '../../../../workers/auth/auth-worker.js'
import { PasswordHasher } from '../../../../workers/auth/passwords.js'
import { createPrivateKeyPem, SessionKeys } from '../../../../workers/auth/session-keys.js'
import { ClientAccounts } from '../../../../workers/client/accounts.js'
import { GatewayAccess } from '../../../../workers/client/gateway-access.js'
import { GatewayWorker } from '../../../../workers/gateway/gateway-worker.js'
import { Cleanup } from '../../../helpers/cleanup.js'
import { durableMemoryStore } from '../../../helpers/durable-memory.js'
import { TEST_MESH } from '../../../helpers/factory.js'
import { connectionTo, PeersStandIn } from '../../../helpers/peers-stand-in.js'
import { VirtualClock } from '../../../helpers/virtual-clock.js'

const never = new AbortController().signal

/** An auth worker and a gateway with the limits that they have by default, and commands of one home. */
async function scene(t: Test) {
  const cleanup = new Cleanup(t)
  const clock = new VirtualClock()
  const random = new SystemRandom()
  const config = configSchema.parse({})
  const store = durableMemoryStore()
  cleanup.add(() => store.close())
  const records = new DurableRecords(store, 'accounts', accountRecordSchema)
  cleanup.add(() => records.close())
  const auth = new AuthWorker({
    accounts: new Accounts({
      records,
      passwords: new PasswordHasher({ passes: 1, memoryBytes: 8192 }),
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
    const options = { gateways, lookedFor: 'gateways', clock, random, ...config.client }
    const access = new GatewayAccess({ ...options, onWaiting: () => undefined })
    const folder = await ClientFolder.open(home, random)
    return new ClientAccounts({ gateway: access, folder, clock, ...config.client })
  }
  const folder = await ClientFolder.open(home, random)
  const { email } = await folder.ensureLocalAccount()
  return { clock, email, command, records }
}

test('should open a session for each of twenty commands when a new home begins with all at once', async (t) => {
  const { clock, email, command, records } = await scene(t)
  const commands = await Promise.all(Array.from({ length: 20 }, command))
  const sessions = await clock.advanceUntil(
    Promise.all(commands.map((accounts) => accounts.session(never))),
  )
  t.alike(new Set(sessions.map((session) => session.email)), new Set([email]))
  t.ok(await records.get(email))
})
