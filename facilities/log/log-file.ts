import { type FileHandle, rename } from 'node:fs/promises'
import { unusablePath } from '../files/disk-failure.js'
import { openTrustedFile } from '../files/trusted-file.js'

/** A log larger than this is rotated when it is opened. One rotated log is kept. */
const LOG_BYTES = 10 * 1024 * 1024

/**
 * Opens the log of a worker for appending.
 *
 * @param path absolute, in a home
 * @throws StarlingError HOME_UNUSABLE if it cannot be written or is not trusted
 */
export async function openLogFile(path: string): Promise<FileHandle> {
  try {
    return await openRotated(path)
  } catch (cause) {
    throw unusablePath(path, 'cannot be written', cause)
  }
}

async function openRotated(path: string): Promise<FileHandle> {
  const file = await openTrustedFile(path, 'append')
  if ((await file.stat()).size <= LOG_BYTES) return file
  await file.close()
  await rename(path, `${path}.1`)
  return await openTrustedFile(path, 'append')
}
