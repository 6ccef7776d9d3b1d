import { open, readFile, rename, rm } from 'node:fs/promises'
import type { z } from 'zod'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Random } from '../clock/random.js'
import { isSystemError } from './system-error.js'

/**
 * Replaces a file that only its owner may read: whole or not at all, also when the power fails.
 *
 * @throws StarlingError HOME_UNUSABLE
 */
export async function writePrivateFile(
  path: string,
  value: unknown,
  random: Random,
): Promise<void> {
  const draft = `${path}.${Buffer.from(random.bytes(8)).toString('hex')}.new`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(value)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (cause) {
    await rm(draft, { force: true })
    throw new StarlingError('HOME_UNUSABLE', `${path} cannot be written`, { cause })
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
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) return undefined
    throw new StarlingError('HOME_UNUSABLE', `${path} cannot be read`, { cause })
  }
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new StarlingError('HOME_UNUSABLE', `${path} is damaged; remove it and log in again`, {
      cause,
    })
  }
}
