import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'brittle'
import sinon from 'sinon'
import type { Random } from '../../../facilities/clock/random.js'
import { SystemClock } from '../../../facilities/clock/system-clock.js'
import type { DurableStore } from '../../../facilities/store/durable-store.js'
import { openStore } from '../../../facilities/store/open-store.js'
import { isStarlingError } from '../../../helpers/errors/starling-error.js'
import { createRecords, insert, valueAt } from '../storage/local-records.js'
import { rejectionOf } from '../until.js'

const clock = new SystemClock()

/**
 * A worker's folder with a store as a kill leaves it: the first half of what was
 * acknowledged in a table of RocksDB, the rest in its log, and some unacknowledged data there.
 */
export async function killedWorker(t: Test): Promise<{ folder: string; keys: readonly string[] }> {
  const [origin, folder] = [await t.tmp(), join(await t.tmp(), 'auth')]
  const store = await openStore(join(origin, 'store'), { clock })
  const records = createRecords(store, 'texts')
  const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`)
  for (const [index, key] of keys.entries()) {
    if (index === keys.length / 2) await store.corestore.storage.db.flush()
    await insert(records, key, `${key} ${'x'.repeat(200)}`)
  }
  // Appended and never acknowledged.
  sinon.stub(store, 'commit').rejects(new Error('killed'))
  await rejectionOf(insert(records, 'unacknowledged', 'x'.repeat(2_000)))
  await cp(origin, folder, { recursive: true })
  await records.close()
  await store.close()
  return { folder, keys }
}

/** Writes a record for each key into the store of a worker's folder, and stops. */
export async function writeTexts(folder: string, keys: readonly string[]): Promise<void> {
  const store = await openStore(join(folder, 'store'), { clock })
  const records = createRecords(store, 'texts')
  for (const key of keys) await insert(records, key, `${key} x`)
  await records.close()
  await store.close()
}

/** The records that a start finds, or null when it is refused because the store is damaged. */
export async function recordsIn(folder: string, keys: readonly string[]): Promise<number | null> {
  let store: DurableStore
  try {
    store = await openStore(join(folder, 'store'), { clock })
  } catch (error) {
    if (isStarlingError(error, 'STORE_DAMAGED')) return null
    throw error
  }
  try {
    const records = createRecords(store, 'texts')
    const values = await Promise.all(keys.map((key) => valueAt(records, key)))
    await records.close()
    return values.filter((value, index) => String(value).startsWith(`${keys[index]} x`)).length
  } finally {
    await store.close()
  }
}

/** Every file in a folder and below, with its content. */
export async function contentOf(folder: string): Promise<Map<string, string>> {
  const content = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) content.set(path, (await readFile(path)).toString('base64'))
  }
  return content
}

/** A copy of the folder elsewhere, like a backup. */
export async function copyOf(t: Test, folder: string): Promise<string> {
  const copy = join(await t.tmp(), 'auth')
  await cp(folder, copy, { recursive: true })
  return copy
}

/** Replaces the store by that of another folder, and keeps the witness. */
export async function replaceStore(folder: string, from: string): Promise<void> {
  await rm(join(folder, 'store'), { recursive: true })
  await cp(join(from, 'store'), join(folder, 'store'), { recursive: true })
}

/** Flips one bit. Returns its position, or null when the file is empty. */
export async function flipBit(path: string, random: Random): Promise<number | null> {
  const bytes = await readFile(path)
  if (bytes.byteLength === 0) return null
  const bit = random.below(bytes.byteLength * 8)
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  await writeFile(path, bytes)
  return bit
}
