import { CommandRunner } from '../../../facilities/store/command-runner.js'
import { DurableStore } from '../../../facilities/store/durable-store.js'
import { LocalRecords } from '../../../facilities/store/local-records.js'
import { RollbackGuard } from '../../../facilities/store/rollback-guard.js'
import { Witness } from '../../../facilities/store/witness.js'
import { deriveRosterKey } from '../../../helpers/discovery/roster-key.js'
import { RECORDS } from '../../../workers/auth/account-store.js'
import { Accounts } from '../../../workers/auth/accounts.js'
import { AuthWorker } from '../../../workers/auth/auth-worker.js'
import { PasswordHasher } from '../../../workers/auth/passwords.js'
import { RosterWriter } from '../../../workers/auth/roster-writer.js'
import { loadOrCreateSessionKeys } from '../../../workers/auth/session-keys.js'
import { MEMORY_PLACE } from '../../helpers/storage/durable-memory.js'
import { DiskSession, type SimulatedDisk } from './simulated-disk.js'
import type { SimulatedProcess } from './simulated-process.js'

/** What an auth worker starts with. */
export interface AuthTraits {
  readonly disk: SimulatedDisk
  /** The history of its records is cut when it has more blocks. */
  readonly minHistoryBlocks: number
}

/** Starts auth, over the disk of its machine. */
export async function startAuth(
  process: SimulatedProcess,
  { disk, minHistoryBlocks }: AuthTraits,
): Promise<AuthWorker> {
  const { clock, random, log, resources, world, identity } = process
  const { mesh, secret, root } = world.authority
  const store = openDisk(process, disk)
  await resources.open(store)
  const records = await resources.open(
    new LocalRecords({ store, random, name: RECORDS, minHistoryBlocks }),
  )
  const sessionKeys = await loadOrCreateSessionKeys(new CommandRunner({ records, clock }), random)
  const network = process.createNetwork()
  const roster = new RosterWriter({
    records,
    rosterKey: deriveRosterKey(root),
    secret,
    identity,
    keeper: network.roster,
    clock,
    log,
  })
  const passwords = new PasswordHasher()
  const worker = new AuthWorker({
    accounts: new WatchedAccounts(process, { records, passwords, clock, random }),
    sessionKeys,
    roster,
    clock,
    mesh,
  })
  worker.service(network.service)
  await resources.open(network)
  await resources.open(roster)
  return worker
}

function openDisk({ clock }: SimulatedProcess, kept: SimulatedDisk): DurableStore {
  const disk = new DiskSession(kept, clock)
  const { files, place } = disk
  const record = (path: string) => new Witness({ files, place, clock, path })
  return new DurableStore({
    disk,
    witness: record(MEMORY_PLACE.witness),
    guard: new RollbackGuard({ record: record(MEMORY_PLACE.guard), clock }),
    clock,
  })
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
