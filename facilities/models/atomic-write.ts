import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Random } from '../clock/random.js'
import { type PrepareOptions, throwIfCancelled } from './model-progress.js'

/** Written at a time: progress and cancellation come between two of them. */
const CHUNK_BYTES = 4 * 1024 * 1024

/** Nobody writes for longer than this: a temporary file that is older was left by a crash. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000

const TEMPORARY_ENDING = '.partial'

/**
 * Writes a file so that at every moment, a power cut included, its name holds the old contents, the
 * whole new contents or nothing. Several processes may write the same file at once: the last to
 * finish stays. The folder is made when it is missing. Progress is of the phase `writing`.
 *
 * @throws the error of the file system; what was written until then is removed
 * @throws StarlingError CANCELLED
 */
export async function writeFileAtomically(
  path: string,
  bytes: Uint8Array,
  random: Random,
  options: PrepareOptions,
): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  const unique = Buffer.from(random.bytes(8)).toString('hex')
  const temporary = join(folder, `.${basename(path)}.${unique}${TEMPORARY_ENDING}`)
  const file = await open(temporary, 'wx')
  try {
    const writtenAtMs = await writeAndSync(file, bytes, options)
    await rename(temporary, path)
    await syncFolder(folder)
    await removeAbandoned(folder, writtenAtMs)
  } catch (error) {
    try {
      await unlink(temporary)
    } catch {
      // Gone already when the rename was done; and the failure to report is the first one.
    }
    throw error
  }
}

/** Closes the file in any case. Returns the time of the file system at the end of the writing. */
async function writeAndSync(
  file: FileHandle,
  bytes: Uint8Array,
  options: PrepareOptions,
): Promise<number> {
  try {
    for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
      throwIfCancelled(options.signal)
      const chunk = bytes.subarray(offset, offset + CHUNK_BYTES)
      // writeFile on a handle goes on from where it stands and repeats short writes.
      await file.writeFile(chunk)
      options.onProgress?.({
        phase: 'writing',
        fraction: Math.min((offset + chunk.length) / bytes.length, 1),
      })
    }
    await file.sync()
    return (await file.stat()).mtimeMs
  } finally {
    await file.close()
  }
}

/** Makes the new name itself durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Ages are told by the file system's own clock: the one that stamped the other files too. */
async function removeAbandoned(folder: string, nowMs: number): Promise<void> {
  const names = (await readdir(folder)).filter(
    (name) => name.startsWith('.') && name.endsWith(TEMPORARY_ENDING),
  )
  for (const name of names) {
    const path = join(folder, name)
    try {
      if ((await stat(path)).mtimeMs < nowMs - ABANDONED_AFTER_MS) await unlink(path)
    } catch {
      // Another process renamed or removed it first; what is in the way is only disk space.
    }
  }
}
