import { link, open, unlink } from 'node:fs/promises'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Random } from '../clock/random.js'
import { unusablePath } from './disk-failure.js'
import { isSystemError } from './system-error.js'
import { readTrustedFile } from './trusted-file.js'

/** Readable and writable by its owner alone. */
const OWNER_ONLY = 0o600

/** A private key in PEM has about 250 bytes. */
const MAX_SECRET_BYTES = 65_536

/**
 * The content of a file that holds a secret, made by whoever comes first. The file appears under its
 * name whole and with mode 0600 or not at all: it is written under another name and then linked,
 * which fails for all but one of several processes. All of them return the same content.
 *
 * @throws StarlingError HOME_UNUSABLE if it can be neither read nor created, or is not trusted: see
 *   {@link assertTrusted}
 */
export async function loadOrCreateSecret(
  path: string,
  random: Random,
  create: () => Uint8Array,
): Promise<Buffer> {
  try {
    return (await readTrusted(path)) ?? (await createSecret(path, random, create()))
  } catch (cause) {
    throw unusablePath(path, 'can neither be read nor created', cause)
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
  const winner = await readTrusted(path)
  if (winner === undefined) {
    throw new StarlingError('HOME_UNUSABLE', `${path} was removed in the moment it was made`)
  }
  return winner
}

/**
 * The content of a file that holds a secret; undefined if there is no file.
 *
 * @throws StarlingError HOME_UNUSABLE if it cannot be read or is not trusted
 */
export async function readSecret(path: string): Promise<Buffer | undefined> {
  try {
    return await readTrusted(path)
  } catch (cause) {
    // For example because a parent folder is a file.
    throw unusablePath(path, 'cannot be read', cause)
  }
}

async function readTrusted(path: string): Promise<Buffer | undefined> {
  return await readTrustedFile(path, { isSecret: true, maxBytes: MAX_SECRET_BYTES })
}
