import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { diskFull, isDiskFull } from './disk-failure.js'
import { makeFolder } from './make-folder.js'
import { isSystemError } from './system-error.js'

/** The layout of a home that this code reads and writes. */
const HOME_VERSION = '1'

/**
 * The folder that everything of Starling on one machine lives in. It is a trust domain: the workers
 * that share it belong to one user and enrol themselves with the root key in it.
 *
 *     mesh/             root key, mesh secret, how far the store of auth had come
 *     <role>[-n]/       one worker's key, store and lock
 *     client/           the session
 *     models/           prepared models
 *     logs/
 *     version
 */
export class Home {
  /** An absolute path. */
  readonly directory: string

  private constructor(directory: string) {
    this.directory = directory
  }

  /**
   * Opens the home, making it if it is not there.
   *
   * @throws StarlingError HOME_UNUSABLE when it cannot be written, or was made by another version
   */
  static async open(directory: string): Promise<Home> {
    const home = new Home(directory)
    await home.folder()
    await home.#checkVersion()
    return home
  }

  /** The absolute path of something in the home. */
  path(...parts: string[]): string {
    return join(this.directory, ...parts)
  }

  /** The absolute path of a folder in the home, made if it is not there, for its owner alone. */
  async folder(...parts: string[]): Promise<string> {
    const path = this.path(...parts)
    try {
      await makeFolder(path)
    } catch (cause) {
      if (isDiskFull(cause)) throw diskFull(path, cause)
      const why = isSystemError(cause, 'EEXIST', 'ENOTDIR')
        ? 'a file is in the way'
        : reasonOf(cause)
      throw new StarlingError('HOME_UNUSABLE', `The folder ${path} cannot be made: ${why}`, {
        cause,
      })
    }
    return path
  }

  async #checkVersion(): Promise<void> {
    const path = this.path('version')
    let version: string
    try {
      version = await readFile(path, 'utf8')
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw unusable(path, error)
      // Two workers that start at once write the same line.
      await writeFile(path, `${HOME_VERSION}\n`).catch((cause: unknown) => {
        throw unusable(path, cause)
      })
      return
    }
    if (version.trim() !== HOME_VERSION && version.trim() !== '') {
      throw new StarlingError(
        'HOME_UNUSABLE',
        `${this.directory} has layout ${version.trim().slice(0, 20)}; this version needs ${HOME_VERSION}`,
      )
    }
  }
}

function unusable(path: string, cause: unknown): StarlingError {
  if (isDiskFull(cause)) return diskFull(path, cause)
  return new StarlingError(
    'HOME_UNUSABLE',
    `${path} can neither be read nor written: ${reasonOf(cause)}`,
    { cause },
  )
}

/** `EACCES: permission denied, mkdir '/data'` */
function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
