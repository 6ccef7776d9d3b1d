import { lstat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DEFAULT_HOME } from '../../helpers/errors/advice.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { diskFull, isDiskFull } from '../files/disk-failure.js'
import { makeFolder } from '../files/make-folder.js'
import { isSystemError } from '../files/system-error.js'
import { openTrustedFile, readTrustedFile } from '../files/trusted-file.js'
import { assertTrustedFolder } from '../files/trusted-folder.js'

/** The layout of a home that this code reads and writes. */
const HOME_VERSION = '1'

/** The file contains a number and a newline. */
const MAX_VERSION_BYTES = 1024

/**
 * The folder with all data of Starling on one machine. It is a trust domain: the workers that share it
 * belong to one user and enrol themselves with the root key in it.
 *
 *     mesh/             root key, mesh secret, a record of which keys belong together, the rollback
 *                       guard of the store of auth, the workers that were found, and the roster
 *     <role>[-n]/       one worker's key, store and lock
 *     client/           the session
 *     models/           prepared models
 *     shares/           how much of the machine each processor uses
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
   * Opens the home; creates it if it is missing.
   *
   * @throws StarlingError HOME_UNUSABLE if it cannot be written, is not trusted (see
   *   {@link assertTrusted}), or was created by another version
   */
  static async open(directory: string): Promise<Home> {
    const home = new Home(directory)
    await home.#makeTrusted(directory, { parents: true })
    const version = await home.#version()
    if (version === undefined) await writeVersion(home.path('version'))
    else home.#assertVersion(version)
    return home
  }

  /**
   * Opens an existing home; undefined if there is none. Creates nothing.
   *
   * @throws StarlingError as {@link open}
   */
  static async find(directory: string): Promise<Home | undefined> {
    const home = new Home(directory)
    try {
      await lstat(directory)
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined
      // Reported below: a parent folder is a file.
    }
    await home.#makeTrusted(directory, { parents: true })
    const version = await home.#version()
    if (version === undefined) return undefined
    home.#assertVersion(version)
    return home
  }

  /** The absolute path of something in the home. */
  path(...parts: string[]): string {
    return join(this.directory, ...parts)
  }

  /**
   * The absolute path of a folder in the home. It is created, for its owner alone, if it is missing.
   *
   * @throws StarlingError HOME_UNUSABLE if it cannot be created or is not trusted
   */
  async folder(...parts: string[]): Promise<string> {
    let path = this.directory
    for (const part of parts) {
      path = join(path, part)
      await this.#makeTrusted(path, { parents: false })
    }
    return path
  }

  async #makeTrusted(path: string, options: { parents: boolean }): Promise<void> {
    try {
      await makeFolder(path)
      await assertTrustedFolder(path, options)
    } catch (cause) {
      if (isStarlingError(cause)) throw cause
      if (isDiskFull(cause)) throw diskFull(path, cause)
      const why = isSystemError(cause, 'EEXIST', 'ENOTDIR')
        ? 'a file is in the way'
        : reasonOf(cause)
      throw new StarlingError('HOME_UNUSABLE', `The folder ${path} cannot be created: ${why}`, {
        cause,
      })
    }
  }

  async #version(): Promise<string | undefined> {
    const path = this.path('version')
    try {
      return (await readTrustedFile(path, { maxBytes: MAX_VERSION_BYTES }))?.toString('utf8').trim()
    } catch (cause) {
      throw unusable(path, cause)
    }
  }

  /** The version is empty while another worker writes it. */
  #assertVersion(version: string): void {
    if (version === HOME_VERSION || version === '') return
    throw new StarlingError(
      'HOME_UNUSABLE',
      `${this.directory} has layout ${version.slice(0, 20)}; this version needs ${HOME_VERSION}`,
    )
  }
}

/**
 * The home to be named in a suggested command; undefined if it is the default one.
 *
 * @param home an absolute path
 */
export function homeToName(home: string): string | undefined {
  return home === resolve(DEFAULT_HOME) ? undefined : home
}

/** Workers that start at the same time write the same line. */
async function writeVersion(path: string): Promise<void> {
  try {
    const file = await openTrustedFile(path, 'create')
    try {
      await file.writeFile(`${HOME_VERSION}\n`)
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw unusable(path, cause)
  }
}

function unusable(path: string, cause: unknown): StarlingError {
  if (isStarlingError(cause)) return cause
  if (isDiskFull(cause)) return diskFull(path, cause)
  return new StarlingError(
    'HOME_UNUSABLE',
    `${path} cannot be read or written: ${reasonOf(cause)}`,
    { cause },
  )
}

/** `EACCES: permission denied, mkdir '/data'` */
function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
