import { unlink } from 'node:fs/promises'
import type { z } from 'zod'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Random } from '../clock/random.js'
import { unusablePath } from './disk-failure.js'
import { createFile, replaceFile } from './replace-file.js'
import { isSystemError } from './system-error.js'
import { readTrustedFileSync } from './trusted-file.js'

/** The largest is the chat history: at most 500 lines of 4,096 characters. */
const MAX_PRIVATE_BYTES = 16_777_216

/** A private key in PEM has about 250 bytes. */
const MAX_SECRET_BYTES = 65_536

/**
 * Replaces a file that only its owner may read: see {@link replaceFile}.
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

/** As {@link writePrivateFile}, with a text. @throws StarlingError HOME_UNUSABLE, DISK_FULL, DISK_FAILED */
export async function writePrivateText(path: string, text: string, random: Random): Promise<void> {
  try {
    await replaceFile(path, text, { random })
  } catch (cause) {
    throw unusablePath(path, 'cannot be written', cause)
  }
}

/**
 * The content of a private file; undefined if there is none.
 *
 * @throws StarlingError HOME_UNUSABLE if it cannot be read, is not trusted or does not match the schema
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
 * The text of a private file; undefined if there is none.
 *
 * @throws StarlingError HOME_UNUSABLE if it cannot be read or is not trusted
 */
export async function readPrivateText(path: string): Promise<string | undefined> {
  return readPrivate(path, MAX_PRIVATE_BYTES)
}

/** As {@link readPrivateText}, of at most 64 KiB. */
export async function readSecret(path: string): Promise<string | undefined> {
  return readPrivate(path, MAX_SECRET_BYTES)
}

/**
 * The text of a private file, which the first of several processes creates. It appears under its name
 * whole or not at all, and all processes return the same text.
 *
 * @throws StarlingError HOME_UNUSABLE if it can be neither read nor created, or is not trusted: see
 *   {@link assertTrusted}; DISK_FULL, DISK_FAILED
 */
export async function loadOrCreateSecret(
  path: string,
  random: Random,
  create: () => string,
): Promise<string> {
  const existing = await readSecret(path)
  if (existing !== undefined) return existing
  try {
    await createFile(path, create(), random)
  } catch (cause) {
    throw unusablePath(path, 'cannot be created', cause)
  }
  const created = await readSecret(path)
  if (created !== undefined) return created
  throw new StarlingError('HOME_UNUSABLE', `${path} was removed right after it was created`)
}

/** Removes a private file. @returns whether there was one @throws StarlingError HOME_UNUSABLE */
export async function removePrivateFile(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (cause) {
    if (isSystemError(cause, 'ENOENT')) return false
    throw new StarlingError('HOME_UNUSABLE', `${path} cannot be removed`, { cause })
  }
}

function readPrivate(path: string, maxBytes: number): string | undefined {
  try {
    // Synchronously: the session is read before each request, and the four trips to the thread pool
    // that an asynchronous read takes would delay the first token.
    return readTrustedFileSync(path, { isSecret: true, maxBytes })?.toString('utf8')
  } catch (cause) {
    // For example because a parent folder is a file.
    throw unusablePath(path, 'cannot be read', cause)
  }
}
