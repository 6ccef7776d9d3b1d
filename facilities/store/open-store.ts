import { mkdir } from 'node:fs/promises'
import Corestore from 'corestore'
import { StarlingError } from '../../helpers/errors/starling-error.js'

/** How a lock that somebody else holds is reported: by device-file, and by RocksDB. Neither has a code. */
const LOCKED = /could not be locked|while lock file|lock hold by/i

/**
 * Opens the Corestore of one worker. It is locked until it is closed, or its process is gone; the
 * folder is made when it is missing, for its owner alone. The caller closes the store.
 *
 * @throws StarlingError HOME_IN_USE when another worker, or this one, has it open already;
 *   HOME_UNUSABLE when the folder cannot be made or written, or what is in it cannot be read
 */
export async function openStore(directory: string): Promise<Corestore> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw unusable(directory, cause)
  }
  const store = new Corestore(directory)
  try {
    await store.ready()
    return store
  } catch (cause) {
    await store.close()
    if (LOCKED.test(reasonOf(cause))) {
      throw new StarlingError('HOME_IN_USE', `The store in ${directory} is open already`, { cause })
    }
    throw unusable(directory, cause)
  }
}

function unusable(directory: string, cause: unknown): StarlingError {
  return new StarlingError(
    'HOME_UNUSABLE',
    `The store in ${directory} cannot be opened: ${reasonOf(cause)}`,
    { cause },
  )
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
