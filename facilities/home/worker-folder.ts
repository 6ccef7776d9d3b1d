import type { FileHandle } from 'node:fs/promises'
import { basename, join } from 'node:path'
import ReadyResource from 'ready-resource'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Role } from '../../helpers/identity/roles.js'
import { unusablePath } from '../files/disk-failure.js'
import { openLocked } from '../files/file-lock.js'
import type { Home } from './home.js'

/** The maximum number of workers of one role in a home. */
const MAX_INSTANCES = 64

/**
 * The folder of one running worker in the home, locked while it is open: `processor`, or `processor-2`
 * while the first is in use.
 */
export class WorkerFolder extends ReadyResource {
  readonly #home: Home
  readonly #role: Role
  readonly #maxInstances: number
  #lock: FileHandle | null = null
  #path = ''

  /** @param options.single true for a role that may run only once in a home */
  constructor(home: Home, role: Role, options: { single: boolean }) {
    super()
    this.#home = home
    this.#role = role
    this.#maxInstances = options.single ? 1 : MAX_INSTANCES
  }

  /** An absolute path. Valid once ready. */
  get path(): string {
    return this.#path
  }

  /** `processor-2`. Valid once ready. */
  get name(): string {
    return basename(this.#path)
  }

  /** @throws StarlingError HOME_IN_USE if no folder of the role is free; HOME_UNUSABLE */
  protected override async _open(): Promise<void> {
    for (let instance = 1; instance <= this.#maxInstances; instance += 1) {
      const path = await this.#home.folder(
        instance === 1 ? this.#role : `${this.#role}-${instance}`,
      )
      this.#lock = await lockFolder(path)
      if (this.#lock !== null) {
        this.#path = path
        return
      }
    }
    throw new StarlingError(
      'HOME_IN_USE',
      `${this.#home.path(this.#role)} is in use by another ${this.#role} worker`,
    )
  }

  protected override async _close(): Promise<void> {
    await this.#lock?.close()
  }
}

/**
 * Locks a folder of the home for one process.
 *
 * @returns the open lock file, or null if another process holds it
 * @throws StarlingError HOME_UNUSABLE, DISK_FULL, DISK_FAILED
 */
export async function lockFolder(folder: string): Promise<FileHandle | null> {
  const path = join(folder, 'lock')
  try {
    return await openLocked(path)
  } catch (cause) {
    throw unusablePath(path, 'cannot be written', cause)
  }
}
