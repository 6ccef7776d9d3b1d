import { link, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Random, SystemRandom } from '../clock/random.js'
import { isSystemError } from './system-error.js'

/** No write takes longer than this: an older draft was left by a crash. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000

const DRAFT = /^\..+\.draft$/

const SYSTEM_RANDOM = new SystemRandom()

/** The content of a file, whole or in pieces. The next piece is requested after the last is written. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array>

/** How {@link replaceFile} writes. */
export interface ReplaceOptions {
  /** Names the draft. Default: the random source of the operating system. */
  readonly random?: Random
  /** Mode bits of the file, before the umask. Default: 0o600. */
  readonly mode?: number
  /**
   * Whether the folder is synced too. Without that, a power cut may bring back the old content, but
   * never a part of the new one. Default: false.
   */
  readonly syncsFolder?: boolean
}

/**
 * Replaces a file atomically: at every moment, a power cut included, its name leads to the whole old
 * content or to the whole new content. Several processes may do so at once; the last one wins. Drafts
 * that crashed processes have left in the folder are removed after an hour.
 *
 * @param path in a folder that exists
 * @throws the error of the file system, or of the content's iterator; the file is then unchanged
 */
export async function replaceFile(
  path: string,
  content: FileContent,
  options: ReplaceOptions = {},
): Promise<void> {
  await withDraft(path, content, options, (draft) => rename(draft, path))
  if (options.syncsFolder) await syncFolder(dirname(path))
  await removeAbandonedDrafts(path)
}

/**
 * Creates a file of mode 0600 atomically, unless its name is taken. Of several processes one wins.
 *
 * @param path in a folder that exists
 * @throws the error of the file system
 */
export async function createFile(
  path: string,
  content: FileContent,
  random: Random,
): Promise<void> {
  await withDraft(path, content, { random }, async (draft) => {
    try {
      await link(draft, path)
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error
    }
    await rm(draft)
  })
}

/** Makes the names in a folder durable. @throws the error of the file system */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Writes the content under another name in the same folder, and moves it to its name with `place`. */
async function withDraft(
  path: string,
  content: FileContent,
  { random = SYSTEM_RANDOM, mode = 0o600 }: ReplaceOptions,
  place: (draft: string) => Promise<void>,
): Promise<void> {
  const unique = Buffer.from(random.bytes(8)).toString('hex')
  const draft = join(dirname(path), `.${basename(path)}.${unique}.draft`)
  const isWhole = typeof content === 'string' || content instanceof Uint8Array
  try {
    // Fails if the name is taken, also by a symbolic link.
    const file = await open(draft, 'wx', mode)
    try {
      for (const piece of isWhole ? [content] : content) await file.writeFile(piece)
      await file.sync()
    } finally {
      await file.close()
    }
    await place(draft)
  } catch (error) {
    try {
      await rm(draft, { force: true })
    } catch {
      // The first failure is the one to report.
    }
    throw error
  }
}

/** Ages are compared with the time of the new file, which is by the same clock. */
async function removeAbandonedDrafts(path: string): Promise<void> {
  try {
    const folder = dirname(path)
    const drafts = (await readdir(folder)).filter((name) => DRAFT.test(name))
    if (drafts.length === 0) return
    const { mtimeMs } = await stat(path)
    for (const draft of drafts.map((name) => join(folder, name))) {
      if ((await stat(draft)).mtimeMs < mtimeMs - ABANDONED_AFTER_MS) await rm(draft)
    }
  } catch {
    // Another process has renamed or removed one first. They only take disk space.
  }
}
