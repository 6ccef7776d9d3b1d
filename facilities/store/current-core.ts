import Hyperbee from 'hyperbee'
import type Hypercore from 'hypercore'
import { keyPair } from 'hypercore-crypto'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Random } from '../clock/random.js'
import type { DurableStore } from './durable-store.js'
import { RecordsCore } from './records-core.js'
import { createTree, openTree, type StoredRecord } from './records-tree.js'

const SEED_BYTES = 32

/** The namespace of the cores that a Corestore's user names. */
const NAMESPACE = new Uint8Array(32)

/** Records that an earlier version kept in another way: a Hyperbee of UTF-8 keys and JSON in a named core. */
export interface EarlierRecords {
  /** The name of the core. */
  readonly core: string
  /** The key that a record has from now on. */
  readonly keyOf: (key: string) => string
}

/** The records to open in a store. */
export interface RecordsPlace {
  readonly store: DurableStore
  /** In the witness. */
  readonly name: string
  readonly random: Random
  /** Carried over if the store contains them. */
  readonly earlier: EarlierRecords | undefined
}

/**
 * Opens the core that contains the records now, and has it committed with the store. That is the core that the
 * witness names. Without a witness it is the one of the newest epoch that was filled. If there is none, one is
 * created, with the records of an earlier version. What an interrupted creation or removal has left is removed.
 *
 * @throws StarlingError STORE_DAMAGED, DISK_FULL, DISK_FAILED
 */
export async function openCurrentCore(place: RecordsPlace): Promise<RecordsCore> {
  const { store, name } = place
  const witnessed = await openWitnessed(place)
  const unwitnessed = await unwitnessedRecords(place)
  const earlier = await openEarlier(place)
  // If the witness names the earlier core, a crash has interrupted the carrying over.
  const isEarlierNewest = earlier !== undefined && store.isWitnessed(earlier)
  const newest = unwitnessed.findLast(({ isComplete }) => isComplete)
  const current = witnessed ?? (isEarlierNewest ? undefined : newest)
  for (const records of unwitnessed) {
    if (records !== current) await removeCore(store, records.core)
  }
  if (current === undefined) return await createFirst(place, earlier)
  await store.track(name, current.core, () => current.count)
  if (earlier !== undefined) await removeCore(store, earlier)
  return current
}

/**
 * Writes all records to a core of the next epoch, which takes the place of the present one: what was replaced or
 * removed is not in it. The present core must not be written meanwhile, and is removed by the caller. A power cut
 * leaves the one or the other.
 *
 * @throws StarlingError DISK_FULL, DISK_FAILED
 */
export async function cutHistory(place: RecordsPlace, current: RecordsCore): Promise<RecordsCore> {
  const continues = current.revision
  const header = { records: place.name, epoch: current.epoch + 1, continues }
  const tree = await createTree(await newCore(place), header, current.all())
  const next = new RecordsCore(tree)
  await place.store.replace(place.name, next.core, { records: () => next.count })
  return next
}

/** An empty core, which is ready. */
async function newCore({ store, random }: RecordsPlace): Promise<Hypercore> {
  const core = store.corestore.get({ keyPair: keyPair(random.bytes(SEED_BYTES)) })
  await core.ready()
  return core
}

/** Closes a core that is not read any more, and deletes it unless the witness or the guard names it. */
export async function removeCore(store: DurableStore, core: Hypercore): Promise<void> {
  const { discoveryKey } = core
  const isDeleted = discoveryKey !== null && !store.isNamed(core)
  // Its blocks; the rest of it is deleted below.
  if (isDeleted && core.length > 0) await core.truncate(0)
  await core.close()
  if (!isDeleted) return
  const info = await infoOf(store, discoveryKey)
  if (info !== null) await store.corestore.storage.deleteCore(info.core)
}

async function infoOf({ corestore }: DurableStore, discoveryKey: Uint8Array) {
  return await corestore.storage.getInfo(discoveryKey, { auth: false, head: false, hints: false })
}

async function openWitnessed({ store, name }: RecordsPlace): Promise<RecordsCore | undefined> {
  const core = await store.openCore(name)
  if (core === undefined) return undefined
  const tree = await openTree(core, name, store.recordsIn(name))
  if (tree !== undefined) return new RecordsCore(tree)
  throw new StarlingError('INTERNAL', `The format of ${name} is not supported by this version`)
}

/** The cores of these records that the witness does not name, those of the newest epoch last. */
async function unwitnessedRecords({ store, name }: RecordsPlace): Promise<RecordsCore[]> {
  const found: RecordsCore[] = []
  for (const discoveryKey of store.unwitnessedCores) {
    const info = await infoOf(store, discoveryKey)
    // It was removed since the store was opened.
    if (info === null) continue
    const core = store.corestore.get({ discoveryKey, createIfMissing: false })
    await core.ready()
    if (core.length === 0 && !info.core.alias) {
      // A crash has interrupted its creation or its removal.
      await removeCore(store, core)
      continue
    }
    const tree = await openTree(core, name)
    if (tree !== undefined) found.push(new RecordsCore(tree))
  }
  return found.sort((one, other) => one.epoch - other.epoch)
}

/** The core with the records of an earlier version, if there is one. */
async function openEarlier({ store, earlier }: RecordsPlace): Promise<Hypercore | undefined> {
  if (earlier === undefined) return undefined
  const witnessed = await store.openCore(earlier.core)
  if (witnessed !== undefined) return witnessed
  const { corestore } = store
  const alias = { name: earlier.core, namespace: NAMESPACE }
  const discoveryKey = await corestore.storage.getAlias(alias)
  if (!store.unwitnessedCores.some((key) => discoveryKey?.equals(key))) return undefined
  const core = corestore.get({ name: earlier.core })
  await core.ready()
  return core
}

async function createFirst(place: RecordsPlace, earlier?: Hypercore): Promise<RecordsCore> {
  const { store, name } = place
  const records = earlier === undefined ? [] : readEarlier(earlier, place.earlier)
  const header = { records: name, epoch: 0, continues: null }
  const tree = await createTree(await newCore(place), header, records)
  const first = new RecordsCore(tree)
  const removed = place.earlier?.core
  await store.replace(name, first.core, { records: () => first.count, removed })
  if (earlier !== undefined) await removeCore(store, earlier)
  return first
}

async function* readEarlier(
  core: Hypercore,
  earlier: EarlierRecords | undefined,
): AsyncGenerator<StoredRecord> {
  const bee = new Hyperbee(core, {
    keyEncoding: 'utf-8',
    valueEncoding: 'utf-8',
    extension: false,
  })
  await bee.ready()
  for await (const { key, value } of bee.createReadStream()) {
    yield { key: earlier?.keyOf(key) ?? key, text: value }
  }
}
