import type { FileHandle } from 'node:fs/promises'
import { basename, join } from 'node:path'
// Node has no file lock of its own. This one is the kernel's: it is gone with the process, even when
// that was killed, which a file with a process id in it is not.
import { tryLock } from 'fs-native-extensions'
import ReadyResource from 'ready-resource'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Role } from '../../helpers/identity/roles.js'
import { unusablePath } from '../files/disk-failure.js'
import { openTrustedFile } from '../files/trusted-file.js'
import type { Home } from './home.js'

/** Workers of one role that may share a home. */
const MAX_INSTANCES = 64

/**
 * The folder of one running worker in the home, locked for as long as it is open: `processor`, or
 * `processor-2` while the first is taken.
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

  /** @throws StarlingError HOME_IN_USE when no folder of the role is free; HOME_UNUSABLE */
  protected override async _open(): Promise<void> {
    for (let instance = 1; instance <= this.#maxInstances; instance += 1) {
      const path = await this.#home.folder(
        instance === 1 ? this.#role : `${this.#role}-${instance}`,
      )
      this.#lock = await lockFile(join(path, 'lock'))
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

/** The locked file, or null when another process holds it. @throws StarlingError HOME_UNUSABLE */
export async function lockFile(path: string): Promise<FileHandle | null> {
  let file: FileHandle
  try {
    file = await openTrustedFile(path, 'create')
  } catch (cause) {
    throw unusablePath(path, 'cannot be written', cause)
  }
  if (tryLock(file.fd)) return file
  await file.close()
  return null
}
