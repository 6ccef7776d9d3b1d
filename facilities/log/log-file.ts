import { type FileHandle, rename } from 'node:fs/promises'
import { unusablePath } from '../home/disk-failure.js'
import { openTrustedFile } from '../home/trusted-file.js'

/** A log that is larger than this when it is opened is set aside, and the one before it removed. */
const LOG_BYTES = 10 * 1024 * 1024

/**
 * Opens the log of a worker to be appended to.
 *
 * @param path absolute, in a home
 * @throws StarlingError HOME_UNUSABLE when it cannot be written, or what is there cannot be trusted
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
