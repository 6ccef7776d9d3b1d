import { type FileHandle, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
// Kernel locks: they are gone with the process that held them, however it ended.
import { tryLock } from 'fs-native-extensions'
import ReadyResource from 'ready-resource'
import type { Home } from './home.js'
import { isSystemError } from './system-error.js'
import { lockFile } from './worker-folder.js'

const WORKER_FOLDER = /^(?:auth|gateway|processor)(?:-\d+)?$/

/**
 * The names of the workers that run in a home, however they were started: `auth`, `processor-2`. Each
 * holds a lock on its folder.
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
 * The lock of the one mesh that looks after the workers of a home. Whoever cannot have it joins that
 * mesh.
 */
export class MeshLock extends ReadyResource {
  readonly #home: Home
  #file: FileHandle | null = null

  constructor(home: Home) {
    super()
    this.#home = home
  }

  /** Whether it is ours. Valid once ready. */
  get isHeld(): boolean {
    return this.#file !== null
  }

  /** @throws StarlingError HOME_UNUSABLE */
  protected override async _open(): Promise<void> {
    this.#file = await lockFile(join(await this.#home.folder('mesh'), 'lock'))
  }

  protected override async _close(): Promise<void> {
    await this.#file?.close()
  }
}

async function isLocked(path: string): Promise<boolean> {
  let file: FileHandle
  try {
    file = await open(path, 'r+')
  } catch (error) {
    // Nobody has ever run there, or it is somebody else's.
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR')) return false
    throw error
  }
  try {
    return !tryLock(file.fd)
  } finally {
    // Gives the lock back, too.
    await file.close()
  }
}
