import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type Corestore from 'corestore'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { diskFailure, freeBytes } from '../files/disk-failure.js'
import { syncFolder } from '../files/replace-file.js'
import { isSystemError } from '../files/system-error.js'
import { assertTrustedTree } from '../files/trusted-folder.js'
import { type CorestoreOpener, loadCorestore } from './load-corestore.js'
import type { StoreDisk } from './store-disk.js'
import { type KnownState, type StorePlace, storeIsGone } from './store-errors.js'
import { closeAnyway, reasonOf, verifyStore } from './verify-store.js'
import { WriteAheadLog } from './write-ahead-log.js'

/** At this size of RocksDB's own log the store is reopened, which starts a new log. */
export const MAX_STORE_LOG_BYTES = 4 * 1024 * 1024

/** The free space that is needed before a store that could not write is reopened. */
export const MIN_FREE_BYTES = 16 * 1024 * 1024

/** Written to test whether the disk accepts data. */
const PROBE_BYTES = 64 * 1024

/** RocksDB's messages about a lock that is held already. They have no code. */
const LOCKED = /could not be locked|while lock file|lock hold by/i

/** Messages about a store that is intact, but cannot be read. */
const OUT_OF_REACH = /permission denied|operation not permitted|too many open files|out of memory/i

/** RocksDB's files with synced data. */
const TABLE = /\.(sst|blob)$/

/** RocksDB's old logs, with the time in microseconds. */
const OLD_LOG = /^LOG\.old\.\d+$/

/** A store in its own folder, which is created, for its owner alone, if it is missing. */
export class StoreFolder implements StoreDisk {
  readonly place: StorePlace
  readonly #database: string
  readonly #log: WriteAheadLog
  readonly #onUnwitnessed: (() => void) | undefined

  /** @param onUnwitnessed called if there is a store without a witness, which is then used as it is */
  constructor(place: StorePlace, onUnwitnessed?: () => void) {
    this.place = place
    this.#database = join(place.store, 'db')
    this.#log = new WriteAheadLog(this.#database)
    this.#onUnwitnessed = onUnwitnessed
  }

  async open(known: KnownState): Promise<Corestore> {
    await this.#assertTrusted()
    const opener = await loadCorestore()
    const holdsRecords = await this.#inspect(opener, known)
    if (holdsRecords && known.witnessed === null) this.#onUnwitnessed?.()
    await this.#makeFolder()
    const corestore = await this.#openForWriting(opener)
    await this.#removeOldLogs()
    return corestore
  }

  async sync(): Promise<void> {
    await this.#log.sync()
  }

  async release(): Promise<void> {
    await this.#log.close()
  }

  async probe(): Promise<void> {
    const { store } = this.place
    const free = freeBytes(store)
    if (free !== undefined && free < MIN_FREE_BYTES) {
      throw new StarlingError(
        'DISK_FULL',
        `The disk of ${store} is full: ${free} bytes are free, and ${MIN_FREE_BYTES} are needed`,
      )
    }
    const path = join(this.#database, 'probe')
    await rm(path, { force: true })
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(Buffer.alloc(PROBE_BYTES))
      await file.sync()
    } finally {
      await file.close()
      await rm(path, { force: true })
    }
  }

  async isLogFull(): Promise<boolean> {
    try {
      return (await stat(join(this.#database, 'LOG'))).size > MAX_STORE_LOG_BYTES
    } catch {
      // The store does not need this log.
      return false
    }
  }

  /** RocksDB would block at a FIFO and write through a symbolic link. */
  async #assertTrusted(): Promise<void> {
    try {
      await assertTrustedTree(this.place.store)
    } catch (cause) {
      if (isStarlingError(cause)) throw cause
      if (!isSystemError(cause, 'ENOENT')) throw this.#unusable(cause)
    }
  }

  /** Reads the whole store without changing it. @returns false if it is empty */
  async #inspect(opener: CorestoreOpener, known: KnownState): Promise<boolean> {
    const { place } = this
    const files = await this.#files()
    const hasTrace = place.trace !== undefined && (await exists(place.trace))
    const isKnown = known.witnessed !== null || known.guarded !== null || hasTrace
    if (files.length === 0) {
      if (isKnown) throw storeIsGone(place, known, hasTrace)
      return false
    }
    // After an interrupted first start, a store may be unreadable. Nothing was acknowledged then.
    const mayBeCutOff = !isKnown && !files.some((name) => TABLE.test(name))
    const store = opener.forReading(place.store)
    try {
      return await verifyStore(store, known, place)
    } catch (error) {
      if (mayBeCutOff) return false
      throw OUT_OF_REACH.test(reasonOf(error)) ? this.#unusable(error) : error
    } finally {
      await closeAnyway(store)
    }
  }

  async #files(): Promise<string[]> {
    try {
      return await readdir(this.#database)
    } catch (cause) {
      if (isSystemError(cause, 'ENOENT')) return []
      throw this.#unusable(cause)
    }
  }

  /** Makes its name, and that of the worker's folder, durable. */
  async #makeFolder(): Promise<void> {
    const { store } = this.place
    try {
      await mkdir(this.#database, { recursive: true, mode: 0o700 })
      await syncFolder(store)
      await syncFolder(dirname(store))
      await syncFolder(dirname(dirname(store)))
    } catch (cause) {
      throw this.#unusable(cause)
    }
  }

  async #openForWriting(opener: CorestoreOpener): Promise<Corestore> {
    const store = opener.forWriting(this.place.store)
    try {
      await store.ready()
      return store
    } catch (cause) {
      await closeAnyway(store)
      if (LOCKED.test(reasonOf(cause))) {
        throw new StarlingError('HOME_IN_USE', `The store in ${this.place.store} is already open`, {
          cause,
        })
      }
      throw this.#unusable(cause)
    }
  }

  /** Removes all but the newest, which is the log of the previous run. */
  async #removeOldLogs(): Promise<void> {
    try {
      const old = (await this.#files()).filter((name) => OLD_LOG.test(name)).sort()
      for (const name of old.slice(0, -1)) await rm(join(this.#database, name), { force: true })
    } catch {
      // They only take disk space.
    }
  }

  #unusable(cause: unknown): StarlingError {
    const { store } = this.place
    return (
      diskFailure(store, cause) ??
      new StarlingError(
        'HOME_UNUSABLE',
        `The store in ${store} cannot be opened: ${reasonOf(cause)}`,
        { cause },
      )
    )
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false
    throw error
  }
}
