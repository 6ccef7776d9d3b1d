import { SystemFiles } from '../../facilities/files/files.js'
import { readPrivateFile, readSecret } from '../../facilities/files/private-file.js'
import { CommandRunner } from '../../facilities/store/command-runner.js'
import { LocalRecords } from '../../facilities/store/local-records.js'
import { openStore } from '../../facilities/store/open-store.js'
import type { Records } from '../../facilities/store/records.js'
import type { ResourceStack } from '../../facilities/worker/resource-stack.js'
import type { WorkerHost } from '../../facilities/worker/worker-host.js'
import { accountKey } from '../../helpers/accounts/account-record.js'
import { carryOverRoster, earlierRosterSchema } from '../../helpers/discovery/publish-roster.js'
import type { StarlingError } from '../../helpers/errors/starling-error.js'
import { loadOrCreateSessionKeys, type SessionKeys } from './session-keys.js'

/** The name of all records of auth in the witness of their store. */
export const RECORDS = 'records'

/** An earlier version kept the accounts by e-mail address in a core of their own. */
const EARLIER_ACCOUNTS = { core: 'accounts', keyOf: accountKey } as const

/** Says that there was a store, if there is none any more. */
const TRACE = Buffer.from('This file was created after the store beside it.\n')

/** The stored state of an auth worker. */
export interface AccountStore {
  /** Everything that auth keeps: accounts, the session key and the roster. */
  readonly records: Records
  readonly sessionKeys: SessionKeys
}

/**
 * Opens the store of an auth worker. After it, a file is created that shows that there was a store. The rollback
 * guard is kept with the keys of the mesh, outside of the worker's folder. Disk failures and recoveries are logged.
 * What an earlier version kept in other places is carried over.
 *
 * @throws StarlingError STORE_DAMAGED, HOME_IN_USE, HOME_UNUSABLE, DISK_FULL, DISK_FAILED,
 *   LIBRARY_MISSING
 */
export async function openAccountStore(
  resources: ResourceStack,
  {
    home,
    folder,
    clock,
    random,
    log,
  }: Pick<WorkerHost, 'home' | 'folder' | 'clock' | 'random' | 'log'>,
): Promise<AccountStore> {
  const files = new SystemFiles()
  // In an earlier version, the session key was such a file.
  const keyFile = `${folder}/session.key`
  const earlierKey = await readSecret(keyFile)
  const trace = `${folder}/store.trace`
  const store = await openStore(`${folder}/store`, {
    clock,
    guard: home.path('mesh', 'auth-store.guard'),
    trace: earlierKey === undefined ? trace : keyFile,
    onUnwitnessed: () => log.warn('the store has no witness and is used as it is'),
  })
  await resources.open(store)
  store.on('failed', (err: StarlingError) => log.error({ err }, 'the store cannot be written'))
  // The line above may be missing, because the log is often on the same disk.
  store.on('recovered', (err: StarlingError) => log.info({ err }, 'the store can be written again'))
  const records = await resources.open(
    new LocalRecords({ store, random, name: RECORDS, earlier: EARLIER_ACCOUNTS }),
  )
  const commands = new CommandRunner({ records, clock })
  const sessionKeys = await loadOrCreateSessionKeys(commands, random, earlierKey)
  await createTrace(files, trace)
  if (earlierKey !== undefined) await files.remove(keyFile)
  try {
    await carryOverRosterFile(`${folder}/roster.json`, commands, files)
  } catch (err) {
    // The other workers know what was published last.
    log.error({ err }, 'the list of workers of an earlier version cannot be read')
  }
  return { records, sessionKeys }
}

async function createTrace(files: SystemFiles, path: string): Promise<void> {
  const file = await files.open(path)
  await file?.close()
  if (file === undefined) await files.replace(path, TRACE)
}

/** The list of workers that an earlier version kept in a file, which is then removed. */
async function carryOverRosterFile(
  path: string,
  commands: CommandRunner,
  files: SystemFiles,
): Promise<void> {
  const roster = await readPrivateFile(path, earlierRosterSchema)
  if (roster === undefined) return
  await commands.run(carryOverRoster, roster)
  await files.remove(path)
}
