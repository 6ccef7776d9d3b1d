import type { Stats } from 'node:fs'
import { shellWord } from '../../helpers/errors/advice.js'
import { StarlingError } from '../../helpers/errors/starling-error.js'

/** Mode bits: writable by the group or by everyone. */
const WRITABLE_BY_OTHERS = 0o022
/** Mode bits: any access for the group or for everyone. */
const ACCESSIBLE_TO_OTHERS = 0o077
/** Mode bit: writable by everyone. */
const WRITABLE_BY_EVERYONE = 0o002
/** Mode bit: in this folder, as in /tmp, only the owner of an entry may rename or delete it. */
const STICKY = 0o1000

const ROOT = 0

/** What a path in a home must be. A `secret` is a file that other users cannot read either. */
export type Expected = 'folder' | 'file' | 'secret'

/** The effective user id of this process; undefined on systems without user ids. */
export function currentUser(): number | undefined {
  return process.geteuid?.()
}

/**
 * Checks a file or folder of a home by the rules of sshd for `~/.ssh` (StrictModes): it is owned by
 * this user or by root and not writable by other users. A secret is owned by this user and not
 * accessible to others. A file is a regular file: opening a FIFO would block, and opening a symbolic link
 * would read or write another file.
 *
 * @param user the user that runs this process; undefined skips the check of the owner
 * @throws StarlingError HOME_UNUSABLE with the path, its owner, its mode and a command that fixes it
 */
export function assertTrusted(
  path: string,
  found: Stats,
  expected: Expected,
  user: number | undefined,
): void {
  const quoted = shellWord(path)
  if (expected === 'folder' ? !found.isDirectory() : !found.isFile()) {
    const wanted = expected === 'folder' ? 'a folder' : 'a regular file'
    throw distrusted(path, found, `is ${kindOf(found)}, not ${wanted}`, replacement(path, found))
  }
  if (!isOwned(found, expected, user)) {
    const recursively = expected === 'folder' ? '-R ' : ''
    const asRoot = user === ROOT ? '' : 'sudo '
    const command = `${asRoot}chown ${recursively}${user} ${quoted}`
    throw distrusted(path, found, `is not owned by user ${user}, which runs this process`, command)
  }
  if (expected === 'secret' && (found.mode & ACCESSIBLE_TO_OTHERS) !== 0) {
    const why = 'contains a secret and is accessible to other users'
    throw distrusted(path, found, why, `chmod 600 ${quoted}`)
  }
  if ((found.mode & WRITABLE_BY_OTHERS) !== 0) {
    throw distrusted(path, found, 'is writable by other users', `chmod go-w ${quoted}`)
  }
}

/**
 * Checks a parent folder of a home. Unlike sshd, it may be writable by its group and owned by another
 * user, because many checkouts are (a umask of 002, a container that runs as root). A user who can write
 * there can only replace the home by another home of the same user: all files in it are checked when they are
 * opened.
 *
 * @throws StarlingError HOME_UNUSABLE if everyone can write in it and it has no sticky bit
 */
export function assertTrustedParent(path: string, found: Stats): void {
  if ((found.mode & WRITABLE_BY_EVERYONE) === 0 || (found.mode & STICKY) !== 0) return
  const why = 'is a parent folder of the home and is writable by everyone'
  throw distrusted(path, found, why, `chmod o-w ${shellWord(path)}`)
}

function isOwned(found: Stats, expected: Expected, user: number | undefined): boolean {
  if (user === undefined || found.uid === user) return true
  return expected !== 'secret' && found.uid === ROOT
}

function distrusted(path: string, found: Stats, why: string, command: string): StarlingError {
  const mode = (found.mode & 0o7777).toString(8).padStart(4, '0')
  return new StarlingError(
    'HOME_UNUSABLE',
    `${path} ${why} (owner ${found.uid}, mode ${mode}); run: ${command}`,
  )
}

function kindOf(found: Stats): string {
  if (found.isSymbolicLink()) return 'a symbolic link'
  if (found.isFIFO()) return 'a FIFO'
  if (found.isSocket()) return 'a socket'
  if (found.isDirectory()) return 'a folder'
  return found.isFile() ? 'a file' : 'a device'
}

/** The command that makes room for a regular file. */
function replacement(path: string, found: Stats): string {
  const quoted = shellWord(path)
  // Moves the target of the link to the place of the link.
  if (found.isSymbolicLink()) return `mv "$(realpath ${quoted})" ${quoted}`
  return found.isDirectory() ? `mv ${quoted} ${shellWord(`${path}.old`)}` : `rm ${quoted}`
}
