import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import { discoveryKey } from 'hypercore-crypto'
import ReadyResource from 'ready-resource'
import type { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Clock, Timer } from '../clock/clock.js'
import { repeat } from '../clock/repeat.js'
import { CommittedCores } from './committed-cores.js'
import type { RollbackGuard } from './rollback-guard.js'
import type { StoreDisk } from './store-disk.js'
import { type KnownState, writeFailure } from './store-errors.js'
import { closeAnyway, names, unwitnessedCores } from './verify-store.js'
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
  readonly #cores: CommittedCores
  readonly #users = new Set<StoreUser>()
  #corestore: Corestore | null = null
  #unwitnessed: readonly Buffer[] = []
  #watch: Timer | null = null
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
    this.#cores = new CommittedCores({
      ...parts,
      assertWritable: () => {
        // While the store is reopened, only cores that are being opened commit.
        if (this.#failure !== null && this.#reopening === null) throw this.#failure
      },
      onFailed: (cause) => this.fail(cause),
    })
  }

  /** The open Corestore. @throws StarlingError the reason if the store could not be reopened */
  get corestore(): Corestore {
    if (this.#corestore !== null) return this.#corestore
    throw this.#failure ?? new Error('The store is not open')
  }

  /**
   * The discovery keys of the cores that the store contained when it was opened and that its witness does not name:
   * a crash has interrupted their first commit or their removal, or there is no witness.
   */
  get unwitnessedCores(): readonly Buffer[] {
    return this.#unwitnessed
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
    await this.#cores.settled()
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

  /** How many records the witness counts in a core; undefined if it does not. */
  recordsIn(name: string): number | undefined {
    return this.#witness.state?.cores[name]?.records
  }

  /** Whether the witness names a core, which must be ready. */
  isWitnessed({ key }: Hypercore): boolean {
    return key !== null && names(this.#witness.state, key)
  }

  /** Whether the witness or the guard names a core, which must be ready. It must not be deleted then. */
  isNamed(core: Hypercore): boolean {
    return this.isWitnessed(core) || names(this.#guard?.state ?? null, core.key)
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
   * Opens the core that the witness names. The caller closes it.
   *
   * @param name its name in the witness
   * @returns undefined if the witness names none
   * @throws StarlingError STORE_DAMAGED if it is missing or differs from the witness
   */
  async openCore(name: string): Promise<Hypercore | undefined> {
    await this.ready()
    const expected = this.#witness.state?.cores[name]
    if (expected === undefined) return undefined
    const key = Buffer.from(expected.key, 'hex')
    const { corestore } = this
    if (!(await corestore.storage.hasCore(discoveryKey(key)))) throw this.#cores.contradiction(name)
    const core = corestore.get({ key, createIfMissing: false })
    try {
      await core.ready()
      await this.#cores.assertWitnessed(name, core)
      return core
    } catch (error) {
      // A core that did not open fails again when it is closed. The first error is the one to report.
      await core.close().catch(() => undefined)
      throw error
    }
  }

  /**
   * Includes a core, which must be ready, in all commits from now on, and makes the first commit.
   *
   * @param name its name in the witness
   * @param records counts its records, for the witness
   * @throws StarlingError STORE_DAMAGED if it differs from the witness: nothing must be appended to it
   *   then; DISK_FULL, DISK_FAILED
   */
  async track(name: string, core: Hypercore, records?: () => number): Promise<void> {
    await this.ready()
    await this.#cores.assertWitnessed(name, core)
    this.#cores.add(name, core, records)
    await this.commit()
  }

  /**
   * From the next commit on, which this makes, a name stands for another core. The core that had it before can be
   * deleted if the guard, too, names the new one, which is tried: see `isNamed`.
   *
   * @param core ready, and filled with everything that is needed of the other one
   * @param options.records counts its records, for the witness
   * @param options.removed a further name that the witness forgets
   * @throws StarlingError DISK_FULL, DISK_FAILED: the next start may find the one or the other
   */
  async replace(
    name: string,
    core: Hypercore,
    { records, removed }: { records?: () => number; removed?: string | undefined } = {},
  ): Promise<void> {
    this.#cores.add(name, core, records)
    if (removed !== undefined) this.#cores.remove(removed)
    await this.commit()
    await this.#guard?.flush()
  }

  /** Leaves a core out of later commits: it is about to be closed. */
  untrack(name: string): void {
    this.#cores.leaveOut(name)
  }

  /**
   * Resolves when everything that was appended to the tracked cores before this call is on disk and
   * witnessed. Calls that come while the disk is busy share one sync of each.
   *
   * @throws StarlingError DISK_FULL or DISK_FAILED when the disk fails: its content is then unknown,
   *   and nothing is committed until the store has been reopened
   */
  commit(): Promise<void> {
    return this.#cores.commit()
  }

  /**
   * A write has failed: nothing more is written until the store has been reopened.
   *
   * @returns the error for the caller
   */
  fail(cause: unknown): StarlingError {
    const failure = writeFailure(this.#disk.place, cause, STORE_WATCH_INTERVAL_MS)
    const isNews = this.#announced?.code !== failure.code
    this.#failure = failure
    this.#announced = failure
    if (isNews) this.emit('failed', failure)
    return failure
  }

  get #known(): KnownState {
    return { witnessed: this.#witness.state, guarded: this.#guard?.state ?? null }
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
    await this.#cores.settled()
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
    await this.#witness.load()
    this.#corestore = await this.#disk.open(this.#known)
    this.#unwitnessed = await unwitnessedCores(this.#corestore, this.#witness.state)
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
