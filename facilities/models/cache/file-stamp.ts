import { stat } from 'node:fs/promises'
import type { FileStamp } from './model-records.js'

/** Undefined when there is no such file. Other failures show when the file is used. */
export async function fileStamp(path: string): Promise<FileStamp | undefined> {
  try {
    const found = await stat(path)
    if (!found.isFile()) return undefined
    return { sizeBytes: found.size, modifiedAtMs: found.mtimeMs, inode: found.ino }
  } catch {
    // Missing, or in a folder that cannot be entered: not usable either way.
    return undefined
  }
}

/** Why {@link fileStamp} finds no file at a path. Completes a sentence that begins with the path. */
export async function whyNoFile(path: string): Promise<string> {
  try {
    const found = await stat(path)
    return found.isDirectory() ? 'is a directory, not a GGUF file' : 'is not a regular file'
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') return 'does not exist'
    return code === 'EACCES' ? 'cannot be reached: permission denied' : `cannot be read (${code})`
  }
}

/** Whether a file is the very one that it was. */
export function isSameFile(left: FileStamp | undefined, right: FileStamp | undefined): boolean {
  return (
    left?.sizeBytes === right?.sizeBytes &&
    left?.modifiedAtMs === right?.modifiedAtMs &&
    left?.inode === right?.inode
  )
}
