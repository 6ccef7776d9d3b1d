import { stat } from 'node:fs/promises'

/** Distinguishes two states of a file: another file, or a changed one, has another stamp. */
export interface FileStamp {
  readonly sizeBytes: number
  readonly modifiedAtMs: number
  readonly inode: number
}

/** The stamp of a regular file; undefined if there is none, or it cannot be reached. */
export async function fileStamp(path: string): Promise<FileStamp | undefined> {
  try {
    const found = await stat(path)
    if (!found.isFile()) return undefined
    return { sizeBytes: found.size, modifiedAtMs: found.mtimeMs, inode: found.ino }
  } catch {
    // Missing, or in a folder that cannot be entered: reported when the file is used.
    return undefined
  }
}

/** Whether two stamps are of the same file in the same state. */
export function isSameFile(left: FileStamp | undefined, right: FileStamp | undefined): boolean {
  return (
    left?.sizeBytes === right?.sizeBytes &&
    left?.modifiedAtMs === right?.modifiedAtMs &&
    left?.inode === right?.inode
  )
}
