import type { Stats } from 'node:fs'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import { shellWord } from '../../helpers/shell-word.js'

/** The bits of a mode that let the group and everybody write. */
const OTHERS_WRITE = 0o022
/** The bits of a mode that let anybody but the owner do anything. */
const OTHERS_ANYTHING = 0o077
/** In a folder with this bit nobody may replace what belongs to another: /tmp has it. */
const STICKY = 0o1000
const EVERYBODY_WRITES = 0o002

const ROOT = 0

/** What something in a home has to be. Of a `secret`, others may not even read the file. */
export type Expected = 'folder' | 'file' | 'secret'

/** The user as whom this process opens files; undefined where the system has no user ids. */
export function currentUser(): number | undefined {
  return process.geteuid?.()
}

/**
 * Decides whether something in a home can be trusted as sshd decides it for what is in `~/.ssh`
 * (StrictModes): it belongs to this user or to root, nobody else may change it, and a secret belongs
 * to this user and nobody else may read it. A file is a regular file: a FIFO would keep its reader
 * waiting, and through a link another file would be written.
 *
 * @param user who runs this process; undefined skips the question whose it is
 * @throws StarlingError HOME_UNUSABLE that names the path, its owner, its mode and what mends it
 */
export function assertTrusted(
  path: string,
  found: Stats,
  expected: Expected,
  user: number | undefined,
): void {
  const quoted = shellWord(path)
  if (expected === 'folder' ? !found.isDirectory() : !found.isFile()) {
    const wanted = expected === 'folder' ? 'folder' : 'file'
    throw distrusted(path, found, `is ${kindOf(found)} and not a ${wanted}`, mendKind(path, found))
  }
  if (!isOwned(found, expected, user)) {
    const recursively = expected === 'folder' ? '-R ' : ''
    const asRoot = user === ROOT ? '' : 'sudo '
    const command = `${asRoot}chown ${recursively}${user} ${quoted}`
    throw distrusted(path, found, `does not belong to user ${user}, who runs this`, command)
  }
  if (expected === 'secret' && (found.mode & OTHERS_ANYTHING) !== 0) {
    const why = 'holds a secret but others can read or change it'
    throw distrusted(path, found, why, `chmod 600 ${quoted}`)
  }
  if ((found.mode & OTHERS_WRITE) !== 0) {
    throw distrusted(path, found, 'can be changed by others', `chmod go-w ${quoted}`)
  }
}

/**
 * Refuses a folder above a home in which everybody may replace the home. Unlike sshd it lets a group
 * write there, and another user own it: in a checkout that a umask of 002 or another user made, that
 * is the rule. They could replace the home as a whole by another one of this user, and no more: what
 * is in it is looked at when it is opened.
 *
 * @throws StarlingError HOME_UNUSABLE
 */
export function assertFixed(path: string, found: Stats): void {
  if ((found.mode & EVERYBODY_WRITES) === 0 || (found.mode & STICKY) !== 0) return
  const why = 'is above the home, and everybody can replace what is in it'
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

function mendKind(path: string, found: Stats): string {
  const quoted = shellWord(path)
  // What the link leads to takes its place.
  if (found.isSymbolicLink()) return `mv "$(realpath ${quoted})" ${quoted}`
  return found.isDirectory() ? `mv ${quoted} ${shellWord(`${path}.old`)}` : `rm ${quoted}`
}
