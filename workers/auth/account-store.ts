import { LocalRecords } from '../../facilities/store/local-records.js'
import { openStore } from '../../facilities/store/open-store.js'
import type { Records } from '../../facilities/store/records.js'
import type { ResourceStack } from '../../facilities/worker/resource-stack.js'
import type { WorkerHost } from '../../facilities/worker/worker-host.js'
import { accountKey } from '../../helpers/accounts/account-record.js'
import type { StarlingError } from '../../helpers/errors/starling-error.js'
import { loadOrCreateSessionKeys, type SessionKeys } from './session-keys.js'

/** The name of all records of auth in the witness of their store. */
export const RECORDS = 'records'

/** Version 0.1.0 kept the accounts by e-mail address in a core of their own. */
export const EARLIER_ACCOUNTS = { core: 'accounts', keyOf: accountKey } as const

/** The stored state of an auth worker. */
export interface AccountStore {
  readonly records: Records
  readonly sessionKeys: SessionKeys
}

/**
 * Opens the account store of a home and, after it, the session keys: if there are keys but no accounts, the
 * accounts were removed. The rollback guard is kept with the keys of the mesh, outside of the worker's
 * folder. Disk failures and recoveries are logged.
 *
 * @throws StarlingError STORE_DAMAGED, HOME_IN_USE, HOME_UNUSABLE, DISK_FULL, DISK_FAILED,
 *   LIBRARY_MISSING
 */
export async function openAccountStore(
  resources: ResourceStack,
  { home, folder, clock, random, log }: WorkerHost,
): Promise<AccountStore> {
  const keyFile = `${folder}/session.key`
  const store = await openStore(`${folder}/store`, {
    clock,
    guard: home.path('mesh', 'auth-store.guard'),
    trace: keyFile,
    onUnwitnessed: () => log.warn('the store has no witness and is used as it is'),
  })
  await resources.open(store)
  store.on('failed', (err: StarlingError) => log.error({ err }, 'the store cannot be written'))
  // The line above may be missing, because the log is often on the same disk.
  store.on('recovered', (err: StarlingError) => log.info({ err }, 'the store can be written again'))
  const records = await resources.open(
    new LocalRecords({ store, random, name: RECORDS, earlier: EARLIER_ACCOUNTS }),
  )
  return { records, sessionKeys: await loadOrCreateSessionKeys(keyFile, random) }
}
