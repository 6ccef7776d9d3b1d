import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import ReadyResource from 'ready-resource'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import type { WitnessState } from '../../helpers/store/store-witness.js'
import type { Clock, Timer } from '../clock/clock.js'
import { repeat } from '../clock/repeat.js'
import { diskFailure } from '../files/disk-failure.js'
import { coreState, hashAt } from './core-state.js'
import type { RollbackGuard } from './rollback-guard.js'
import type { StoreDisk } from './store-disk.js'
import { contradictsWitness } from './store-errors.js'
import { closeAnyway } from './verify-store.js'
import type { Witness } from './witness.js'

/** How often a store that cannot write checks whether it can write again. */
export const STORE_WATCH_INTERVAL_MS = 2_000

/** Keeps cores of a store open while the store is open. */
export interface StoreUser {
  /** Closes its cores after the operations in progress. New operations wait. */
  detach(): Promise<void>
  /** Opens its cores again. */
  attach(): Promise<void>
  /** The store could not be opened again: waiting operations fail with this error. */
  abandon(failure: StarlingError): void
}

/**
 * A Corestore whose cores are compared with a witness when they are opened. Each commit updates the witness,
 * so that the loss of committed data is detected.
 *
 * After a failed write nothing more is written, because the content of the disk is unknown; reads still
 * work. Once the disk accepts data again, the store is closed, compared with its witness as at a start, and
 * opened again.
 *
 * Emits `failed` (error) when it can no longer write, also when the reason changes, and `recovered`
 * (the last of these errors).
 */
export class DurableStore extends ReadyResource {
  readonly #disk: StoreDisk
  readonly #witness: Witness
  readonly #guard: RollbackGuard | null
  readonly #clock: Clock
  readonly #cores = new Map<string, Hypercore>()
  readonly #users = new Set<StoreUser>()
  #corestore: Corestore | null = null
  #watch: Timer | null = null
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | null = null
  #reopening: Promise<void> | null = null
  #failure: StarlingError | null = null
  #announced: StarlingError | null = null

  constructor(parts: {
    readonly disk: StoreDisk
    readonly witness: Witness
    readonly guard: RollbackGuard | null
    readonly clock: Clock
  }) {
    super()
    this.#disk = parts.disk
    this.#witness = parts.witness
    this.#guard = parts.guard
    this.#clock = parts.clock
  }

  /** The open Corestore. @throws StarlingError the reason if the store could not be reopened */
  get corestore(): Corestore {
    if (this.#corestore !== null) return this.#corestore
    throw this.#failure ?? new Error('The store is not open')
  }

  /** Why the store cannot write; null while it can. */
  get failure(): StarlingError | null {
    return this.#failure
  }

  /** Why the rollback guard cannot be written; null while it can, or where there is none. */
  get guardFailure(): unknown {
    return this.#guard?.failure ?? null
  }

  protected override async _open(): Promise<void> {
    try {
      await this.#guard?.load()
      await this.#openAll()
    } catch (error) {
      await this.#closeAll()
      await this.#guard?.close()
      throw error
    }
    this.#watch = repeat(this.#clock, STORE_WATCH_INTERVAL_MS, () => this.#look())
  }

  /** Finishes earlier commits first. */
  protected override async _close(): Promise<void> {
    this.#watch?.cancel()
    await this.#reopening
    // Its callers get the error.
    await (this.#next ?? this.#running).catch(() => undefined)
    try {
      if (this.#failure === null) await this.#corestore?.close()
    } finally {
      await this.#closeAll()
      await this.#guard?.close()
    }
  }

  /**
   * Resolves when the store is not being reopened. Reopening may have failed.
   */
  async settled(): Promise<void> {
    await this.ready()
    await this.#reopening
  }

  /** From now on the user closes and opens its cores with the store. Called once they are open. */
  join(user: StoreUser): void {
    this.#users.add(user)
  }

  /** The opposite of `join`. */
  leave(user: StoreUser): void {
    this.#users.delete(user)
  }

  /**
   * Includes a core, which must be ready, in all commits from now on, and makes the first commit.
   *
   * @param name its name in the witness
   * @throws StarlingError STORE_DAMAGED if it differs from the witness: nothing must be appended to it
   *   then; DISK_FULL, DISK_FAILED
   */
  async track(name: string, core: Hypercore): Promise<void> {
    await this.ready()
    const recorded = this.#witness.state
    const expected = recorded?.cores[name]
    if (recorded !== null && expected !== undefined) {
      const found = await coreState(core)
      const isSame =
        found.key === expected.key &&
        found.fork === expected.fork &&
        found.length >= expected.length &&
        (await hashAt(core, expected.length)) === expected.treeHash
      const known = { witnessed: recorded, guarded: this.#guard?.state ?? null }
      if (!isSame) throw contradictsWitness(this.#disk.place, known, name, found)
    }
    this.#cores.set(name, core)
    await this.commit()
  }

  /** Leaves a core out of later commits: it is about to be closed. */
  untrack(name: string): void {
    this.#cores.delete(name)
  }

  /**
   * Resolves when everything that was appended to the tracked cores before this call is on disk and
   * witnessed. Calls that come while the disk is busy share one sync of each.
   *
   * @throws StarlingError DISK_FULL or DISK_FAILED when the disk fails: its content is then unknown,
   *   and nothing is committed until the store has been reopened
   */
  commit(): Promise<void> {
    this.#next ??= this.#commitNext(this.#running)
    return this.#next
  }

  /**
   * A write has failed: nothing more is written until the store has been reopened.
   *
   * @returns the error for the caller
   */
  fail(cause: unknown): StarlingError {
    const failure = this.#failureOf(cause)
    const isNews = this.#announced?.code !== failure.code
    this.#failure = failure
    this.#announced = failure
    if (isNews) this.emit('failed', failure)
    return failure
  }

  #failureOf(cause: unknown): StarlingError {
    if (isStarlingError(cause, 'STORE_DAMAGED')) return cause
    const { store } = this.#disk.place
    const options = { retryAfterMs: STORE_WATCH_INTERVAL_MS, cause }
    if (isStarlingError(cause, 'DISK_FULL', 'DISK_FAILED')) {
      return new StarlingError(cause.code, cause.message, options)
    }
    const message = isStarlingError(cause)
      ? cause.message
      : `The store in ${store} cannot be written`
    return diskFailure(store, cause, options) ?? new StarlingError('DISK_FAILED', message, options)
  }

  async #commitNext(previous: Promise<void>): Promise<void> {
    // Its own callers get the error.
    await previous.catch(() => undefined)
    this.#running = this.#commitNow()
    this.#next = null
    await this.#running
  }

  async #commitNow(): Promise<void> {
    // While the store is reopened, only cores that are being opened commit.
    if (this.#failure !== null && this.#reopening === null) throw this.#failure
    try {
      // Determined before the sync, which may not include later appends.
      const cores = await this.#currentCores()
      await this.#disk.sync()
      if (!this.#isWitnessed(cores)) await this.#witness.record(cores)
      this.#guard?.note(cores)
    } catch (cause) {
      // A second sync after one that failed may falsely succeed.
      throw this.fail(cause)
    }
  }

  /** Cores that are not open are taken from the witness. */
  async #currentCores(): Promise<WitnessState['cores']> {
    const cores = { ...this.#witness.state?.cores }
    for (const [name, core] of this.#cores) cores[name] = await coreState(core)
    return cores
  }

  #isWitnessed(cores: WitnessState['cores']): boolean {
    const recorded = this.#witness.state?.cores
    if (recorded === undefined) return false
    return Object.entries(cores).every(([name, { length, fork }]) => {
      return recorded[name]?.length === length && recorded[name].fork === fork
    })
  }

  /** Reopens the store if it failed and can be written again, or if its log is full. */
  async #look(): Promise<void> {
    // Waiting does not repair a damaged store.
    if (this.closing !== null || this.#failure?.code === 'STORE_DAMAGED') return
    if (this.#failure === null) {
      if (!(await this.#disk.isLogFull())) return
    } else {
      try {
        await this.#disk.probe()
      } catch (cause) {
        this.fail(cause)
        return
      }
    }
    if (this.closing !== null) return
    this.#reopening = this.#reopen()
    await this.#reopening
    this.#reopening = null
  }

  async #reopen(): Promise<void> {
    const users = [...this.#users]
    for (const user of users) await user.detach()
    await (this.#next ?? this.#running).catch(() => undefined)
    await this.#closeAll()
    try {
      await this.#openAll()
      for (const user of users) await user.attach()
    } catch (cause) {
      const failure = this.fail(cause)
      for (const user of users) user.abandon(failure)
      await this.#closeAll()
      return
    }
    this.#failure = null
    if (this.#announced !== null) this.emit('recovered', this.#announced)
    this.#announced = null
  }

  async #openAll(): Promise<void> {
    const witnessed = await this.#witness.load()
    this.#corestore = await this.#disk.open({ witnessed, guarded: this.#guard?.state ?? null })
  }

  async #closeAll(): Promise<void> {
    const corestore = this.#corestore
    this.#corestore = null
    this.#cores.clear()
    if (corestore !== null) await closeAnyway(corestore)
    await this.#witness.close()
    await this.#disk.release()
  }
}
