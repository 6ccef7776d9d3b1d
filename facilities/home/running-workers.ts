import { type FileHandle, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import ReadyResource from 'ready-resource'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import { lockFile } from '../files/file-lock.js'
import { isSystemError } from '../files/system-error.js'
import { openTrustedFile } from '../files/trusted-file.js'
import type { Home } from './home.js'
import { lockFolder } from './worker-folder.js'

const WORKER_FOLDER = /^(?:auth|gateway|processor)(?:-\d+)?$/

/**
 * The names of all workers that run in a home, such as `auth` or `processor-2`. Each worker locks its
 * folder while it runs.
 */
export async function runningWorkers(home: Home): Promise<Set<string>> {
  const running = new Set<string>()
  for (const name of await readdir(home.directory)) {
    if (WORKER_FOLDER.test(name) && (await isLocked(join(home.path(name), 'lock')))) {
      running.add(name)
    }
  }
  return running
}

/**
 * Held by the mesh process that supervises the workers of a home. A second mesh process does not get it
 * and uses the workers of the first.
 */
export class MeshLock extends ReadyResource {
  readonly #home: Home
  #file: FileHandle | null = null

  constructor(home: Home) {
    super()
    this.#home = home
  }

  /** Whether this process holds the lock. Valid once ready. */
  get isHeld(): boolean {
    return this.#file !== null
  }

  /** @throws StarlingError HOME_UNUSABLE */
  protected override async _open(): Promise<void> {
    this.#file = await lockFolder(await this.#home.folder('mesh'))
  }

  protected override async _close(): Promise<void> {
    await this.#file?.close()
  }
}

async function isLocked(path: string): Promise<boolean> {
  let file: FileHandle
  try {
    file = await openTrustedFile(path, 'update')
  } catch (error) {
    // No worker has run there yet, or it is not the lock of a worker.
    if (isStarlingError(error) || isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return false
    throw error
  }
  try {
    return !lockFile(file)
  } finally {
    // This also releases the lock.
    await file.close()
  }
}
