import { link, open, readFile, stat, unlink } from 'node:fs/promises'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Random } from '../clock/random.js'
import { unusablePath } from './disk-failure.js'
import { isSystemError } from './system-error.js'

/** Readable and writable by its owner alone. */
const OWNER_ONLY = 0o600

/**
 * The content of a file that holds a secret, made by whoever comes first. The file appears under its
 * name whole and with mode 0600 or not at all: it is written under another name and then linked,
 * which fails for all but one of several processes. All of them return the same content.
 *
 * @throws StarlingError HOME_UNUSABLE when it can be neither read nor made, or when others than its
 *   owner can read it
 */
export async function loadOrCreateSecret(
  path: string,
  random: Random,
  create: () => Uint8Array,
): Promise<Buffer> {
  try {
    return (await readSecret(path)) ?? (await createSecret(path, random, create()))
  } catch (cause) {
    if (cause instanceof StarlingError) throw cause
    throw unusablePath(path, 'can neither be read nor made', cause)
  }
}

async function createSecret(path: string, random: Random, content: Uint8Array): Promise<Buffer> {
  const draft = `${path}.${Buffer.from(random.bytes(8)).toString('hex')}.new`
  const file = await open(draft, 'wx', OWNER_ONLY)
  try {
    await file.writeFile(content)
    await file.sync()
    await link(draft, path)
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error
  } finally {
    await file.close()
    await unlink(draft)
  }
  const winner = await readSecret(path)
  if (winner === undefined) {
    throw new StarlingError('HOME_UNUSABLE', `${path} was removed in the moment it was made`)
  }
  return winner
}

async function readSecret(path: string): Promise<Buffer | undefined> {
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) {
      throw new StarlingError(
        'HOME_UNUSABLE',
        `${path} holds a secret but others can read it; run: chmod 600 ${path}`,
      )
    }
    return await readFile(path)
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined
    throw error
  }
}
