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

/** Whether a file is the very one that it was. */
export function isSameFile(left: FileStamp | undefined, right: FileStamp | undefined): boolean {
  return (
    left?.sizeBytes === right?.sizeBytes &&
    left?.modifiedAtMs === right?.modifiedAtMs &&
    left?.inode === right?.inode
  )
}
