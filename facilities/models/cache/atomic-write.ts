import type { Random } from '../../clock/random.js'
import { type PrepareOptions, throwIfCancelled } from '../model-progress.js'
import type { ModelStorage } from './model-storage.js'
import type { StoredFile } from './stored-file.js'

/** Written at a time: progress and cancellation come between two of them. */
const CHUNK_BYTES = 4 * 1024 * 1024

/** Nobody writes for longer than this: a draft that is older was left by a crash. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000

/** What no caller's files begin and end with. */
const DRAFT = { beginning: '.', ending: '.draft' } as const

/**
 * Writes a file so that at every moment, a power cut included, its name holds the old contents, the
 * whole new contents or nothing. Several processes may write the same file at once: the last to
 * finish stays. Progress is of the phase `writing`.
 *
 * @throws the error of the storage; what was written until then is removed
 * @throws StarlingError CANCELLED
 */
export async function writeFileAtomically(
  storage: ModelStorage,
  name: string,
  bytes: Uint8Array,
  random: Random,
  options: PrepareOptions,
): Promise<void> {
  await storage.prepare()
  const unique = Buffer.from(random.bytes(8)).toString('hex')
  const draft = `${DRAFT.beginning}${name}.${unique}${DRAFT.ending}`
  try {
    const file = storage.open(draft)
    try {
      await writeAndSync(file, bytes, options)
    } finally {
      await file.close()
    }
    await storage.rename(draft, name)
  } catch (error) {
    try {
      await storage.remove(draft)
    } catch {
      // Gone already when the rename was done; and the failure to report is the first one.
    }
    throw error
  }
  await removeAbandoned(storage, name)
}

async function writeAndSync(
  file: StoredFile,
  bytes: Uint8Array,
  options: PrepareOptions,
): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) {
    throwIfCancelled(options.signal)
    const chunk = bytes.subarray(offset, offset + CHUNK_BYTES)
    await file.write(offset, chunk)
    options.onProgress?.({
      phase: 'writing',
      fraction: Math.min((offset + chunk.length) / bytes.length, 1),
    })
  }
  await file.sync()
}

/** Ages are told by the storage's own clock: the one that stamped the file just written too. */
async function removeAbandoned(storage: ModelStorage, writtenName: string): Promise<void> {
  try {
    const entries = await storage.list()
    const nowMs = entries.find(({ name }) => name === writtenName)?.modifiedAtMs ?? 0
    for (const { name, modifiedAtMs } of entries) {
      const isDraft = name.startsWith(DRAFT.beginning) && name.endsWith(DRAFT.ending)
      if (isDraft && modifiedAtMs < nowMs - ABANDONED_AFTER_MS) await storage.remove(name)
    }
  } catch {
    // Another process renamed or removed it first; what is in the way is only disk space.
  }
}
