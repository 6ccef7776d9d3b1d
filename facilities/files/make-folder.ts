import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isSystemError } from './system-error.js'

/** Accessible to its owner alone. */
const OWNER_ONLY = 0o700

/**
 * Creates a folder for its owner alone, and its missing parent folders. Several processes may do so at
 * once.
 *
 * Does not use the `recursive` option of Node's mkdir, which never returns below a folder in which nothing
 * can be created, such as /proc.
 *
 * @param path absolute
 * @throws the error of the file system
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (error) {
    if (!isSystemError(error, 'ENOENT') || dirname(path) === path) throw error
    await makeFolder(dirname(path))
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: OWNER_ONLY })
  } catch (error) {
    // On a read-only file system these are the errors even for a folder that exists.
    if (!isSystemError(error, 'EEXIST', 'EROFS', 'EISDIR', 'EPERM', 'EACCES')) throw error
    if (!(await isFolder(path))) throw error
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    // A dangling link, or a parent folder that cannot be entered: not usable either way.
    return false
  }
}
