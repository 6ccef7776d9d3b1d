import { DurableRecords } from '../../../facilities/store/durable-records.js'
import { DurableStore } from '../../../facilities/store/durable-store.js'
import { RollbackGuard } from '../../../facilities/store/rollback-guard.js'
import { Witness } from '../../../facilities/store/witness.js'
import type { WitnessStorage } from '../../../facilities/store/witness-file.js'
import { Accounts, accountRecordSchema } from '../../../workers/auth/accounts.js'
import { AuthWorker } from '../../../workers/auth/auth-worker.js'
import { PasswordHasher } from '../../../workers/auth/passwords.js'
import { createPrivateKeyPem, SessionKeys } from '../../../workers/auth/session-keys.js'
import { DiskSession, type SimulatedDisk } from './simulated-disk.js'
import type { SimulatedProcess } from './simulated-process.js'

/** What an auth worker has on its machine. */
export interface AuthDisk {
  readonly disk: SimulatedDisk
  /** The file of the session keys; created at the first start. */
  sessionKeys: string | null
}

/** Starts auth, over the disk of its machine. */
export async function startAuth(process: SimulatedProcess, kept: AuthDisk): Promise<AuthWorker> {
  const { clock, random, resources, world } = process
  const disk = new DiskSession(kept.disk, clock)
  const { place } = disk
  const record = (storage: WitnessStorage, path: string) =>
    new Witness({ storage, place, clock, path })
  const guard = record(disk.guard, `${place.witness}.guard`)
  const store = new DurableStore({
    disk,
    witness: record(disk.witness, place.witness),
    guard: new RollbackGuard({ record: guard, clock }),
    clock,
  })
  await resources.open(store)
  const records = await resources.open(new DurableRecords(store, 'accounts', accountRecordSchema))
  kept.sessionKeys ??= createPrivateKeyPem(random)
  const network = process.createNetwork()
  const worker = new AuthWorker({
    accounts: new WatchedAccounts(process, {
      records,
      passwords: new PasswordHasher(),
      clock,
      random,
    }),
    sessionKeys: new SessionKeys(kept.sessionKeys),
    clock,
    mesh: world.authority.mesh,
  })
  worker.service(network.service)
  await resources.open(network)
  return worker
}

/** Reports what is acknowledged. */
class WatchedAccounts extends Accounts {
  readonly #process: SimulatedProcess

  constructor(process: SimulatedProcess, parts: ConstructorParameters<typeof Accounts>[0]) {
    super(parts)
    this.#process = process
  }

  override async register(...request: Parameters<Accounts['register']>) {
    const registered = await super.register(...request)
    const { world, host } = this.#process
    if (!host.isDead) world.observe({ kind: 'acknowledged', email: request[0].email })
    return registered
  }
}
