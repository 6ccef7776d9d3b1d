import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isSystemError } from './system-error.js'

/** Readable, writable and to be entered by its owner alone. */
const OWNER_ONLY = 0o700

/**
 * Makes a folder for its owner alone, and those above it, unless they are there. Several processes
 * may do so at once.
 *
 * Not by the `recursive` of Node's mkdir: below a folder in which nothing can be made, such as /proc,
 * that never comes back.
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
    // A root that is read-only says so even of a folder that is there.
    if (!isSystemError(error, 'EEXIST', 'EROFS', 'EISDIR', 'EPERM', 'EACCES')) throw error
    if (!(await isFolder(path))) throw error
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    // A link to nowhere, or a folder above it that cannot be entered: nothing to be used.
    return false
  }
}
