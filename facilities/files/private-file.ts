import { open, rename, rm, unlink } from 'node:fs/promises'
import type { z } from 'zod'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import type { Random } from '../clock/random.js'
import { unusablePath } from './disk-failure.js'
import { isSystemError } from './system-error.js'
import { readTrustedFileSync } from './trusted-file.js'

/** The largest is the chat history: at most 500 lines of 4,096 characters. */
const MAX_PRIVATE_BYTES = 16_777_216

/**
 * Replaces a file that only its owner may read: whole or not at all, also when the power fails.
 *
 * @param value is written as JSON
 * @throws StarlingError HOME_UNUSABLE, DISK_FULL, DISK_FAILED
 */
export async function writePrivateFile(
  path: string,
  value: unknown,
  random: Random,
): Promise<void> {
  await writePrivateText(path, `${JSON.stringify(value)}\n`, random)
}

/** The same with a text. @throws StarlingError HOME_UNUSABLE, DISK_FULL, DISK_FAILED */
export async function writePrivateText(path: string, text: string, random: Random): Promise<void> {
  const draft = `${path}.${Buffer.from(random.bytes(8)).toString('hex')}.new`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (cause) {
    await rm(draft, { force: true })
    throw unusablePath(path, 'cannot be written', cause)
  }
}

/**
 * The content of such a file, or undefined when there is none.
 *
 * @throws StarlingError HOME_UNUSABLE when it cannot be read or is not what the schema asks for
 */
export async function readPrivateFile<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  const text = await readPrivateText(path)
  if (text === undefined) return undefined
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new StarlingError('HOME_UNUSABLE', `${path} is damaged; remove it and log in again`, {
      cause,
    })
  }
}

/**
 * The text of such a file, or undefined if there is none.
 *
 * @throws StarlingError HOME_UNUSABLE if it cannot be read or is not trusted
 */
export async function readPrivateText(path: string): Promise<string | undefined> {
  try {
    // At once: the session is read before each question, and what an asynchronous read of so small a
    // file spends on four trips to the thread pool is felt in the first token.
    const limit = { isSecret: true, maxBytes: MAX_PRIVATE_BYTES }
    return readTrustedFileSync(path, limit)?.toString('utf8')
  } catch (cause) {
    if (isStarlingError(cause)) throw cause
    throw new StarlingError('HOME_UNUSABLE', `${path} cannot be read`, { cause })
  }
}

/** Removes such a file. @returns whether there was one @throws StarlingError HOME_UNUSABLE */
export async function removePrivateFile(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) return false
    throw new StarlingError('HOME_UNUSABLE', `${path} cannot be removed`, { cause })
  }
}
