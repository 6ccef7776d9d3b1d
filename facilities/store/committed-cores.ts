import type Hypercore from 'hypercore'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import {
  MAX_WITNESSED_CORES,
  type WitnessedCore,
  type WitnessState,
} from '../../helpers/store/store-witness.js'
import { coreState, hashAt } from './core-state.js'
import type { RollbackGuard } from './rollback-guard.js'
import type { StoreDisk } from './store-disk.js'
import { type CoreState, contradictsWitness } from './store-errors.js'
import type { Witness } from './witness.js'

interface CommittedCore {
  readonly core: Hypercore
  readonly records: (() => number) | undefined
}

/**
 * The cores of an open store that are committed together: synced, then witnessed, then noted by the guard. Calls
 * that come while the disk is busy share the next commit (group commit).
 */
export class CommittedCores {
  readonly #disk: StoreDisk
  readonly #witness: Witness
  readonly #guard: RollbackGuard | null
  readonly #onFailed: (cause: unknown) => StarlingError
  readonly #assertWritable: () => void
  readonly #cores = new Map<string, CommittedCore>()
  readonly #removed = new Set<string>()
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | null = null

  /**
   * @param parts.assertWritable throws the reason if nothing may be committed
   * @param parts.onFailed receives the reason when the disk has failed, and returns the error for the callers
   */
  constructor(parts: {
    readonly disk: StoreDisk
    readonly witness: Witness
    readonly guard: RollbackGuard | null
    readonly assertWritable: () => void
    readonly onFailed: (cause: unknown) => StarlingError
  }) {
    this.#disk = parts.disk
    this.#witness = parts.witness
    this.#guard = parts.guard
    this.#assertWritable = parts.assertWritable
    this.#onFailed = parts.onFailed
  }

  /**
   * Includes a core, which must be ready, in all commits from now on.
   *
   * @param name its name in the witness. A core that had the name before is left out
   * @param records counts its records, for the witness
   * @throws StarlingError INTERNAL if there are too many cores
   */
  add(name: string, core: Hypercore, records?: () => number): void {
    this.#removed.delete(name)
    const names = new Set([...Object.keys(this.#recorded), ...this.#cores.keys(), name])
    for (const removed of this.#removed) names.delete(removed)
    if (names.size > MAX_WITNESSED_CORES) {
      throw new StarlingError('INTERNAL', `A store can have ${MAX_WITNESSED_CORES} cores at most`)
    }
    this.#cores.set(name, { core, records })
  }

  /** Leaves a core out of later commits, which keep what is witnessed of it: it is about to be closed. */
  leaveOut(name: string): void {
    this.#cores.delete(name)
  }

  /** With the next commit, the witness forgets a core. */
  remove(name: string): void {
    this.#cores.delete(name)
    this.#removed.add(name)
  }

  /** Leaves out all cores: the store is about to be closed. */
  clear(): void {
    this.#cores.clear()
    this.#removed.clear()
  }

  /**
   * Resolves when everything that was appended to the cores before this call is on disk and witnessed.
   *
   * @throws StarlingError the reason why that is not possible
   */
  commit(): Promise<void> {
    this.#next ??= this.#commitNext(this.#running)
    return this.#next
  }

  /** Resolves when no commit is in progress. It may have failed: its callers get the error. */
  async settled(): Promise<void> {
    await (this.#next ?? this.#running).catch(() => undefined)
  }

  /** @throws StarlingError STORE_DAMAGED if a core, which must be ready, is not what the witness records */
  async assertWitnessed(name: string, core: Hypercore): Promise<void> {
    const expected = this.#recorded[name]
    if (expected === undefined) return
    const found = await coreState(core)
    const isSame =
      found.key === expected.key &&
      found.fork === expected.fork &&
      found.length >= expected.length &&
      (await hashAt(core, expected.length)) === expected.treeHash
    if (!isSame) throw this.contradiction(name, found)
  }

  /** STORE_DAMAGED, because a core is missing or differs from what the witness records. */
  contradiction(name: string, found?: CoreState): StarlingError {
    const [witnessed, guarded] = [this.#witness.state, this.#guard?.state ?? null]
    if (witnessed === null) throw new Error('There is no witness')
    return contradictsWitness(this.#disk.place, { witnessed, guarded }, name, found)
  }

  get #recorded(): WitnessState['cores'] {
    return this.#witness.state?.cores ?? {}
  }

  async #commitNext(previous: Promise<void>): Promise<void> {
    // Its own callers get the error.
    await previous.catch(() => undefined)
    this.#running = this.#commitNow()
    this.#next = null
    await this.#running
  }

  async #commitNow(): Promise<void> {
    this.#assertWritable()
    try {
      // Determined before the sync, which may not include later appends.
      const cores = await this.#currentCores()
      await this.#disk.sync()
      if (!this.#isWitnessed(cores)) await this.#witness.record(cores)
      this.#guard?.note(cores)
    } catch (cause) {
      // A second sync after one that failed may falsely succeed.
      throw this.#onFailed(cause)
    }
  }

  /** Cores that are not open are taken from the witness. */
  async #currentCores(): Promise<WitnessState['cores']> {
    const cores = { ...this.#recorded }
    for (const name of this.#removed) delete cores[name]
    for (const [name, { core, records }] of this.#cores) {
      if (isAsRecorded(core, cores[name])) continue
      const state = await coreState(core)
      cores[name] = records === undefined ? state : { ...state, records: records() }
    }
    return cores
  }

  #isWitnessed(cores: WitnessState['cores']): boolean {
    if (this.#witness.state === null) return false
    const recorded = this.#recorded
    const names = Object.keys(cores)
    return (
      names.length === Object.keys(recorded).length &&
      names.every((name) => isSame(cores[name], recorded[name]))
    )
  }
}

/** Without its hash, which takes longer. */
function isAsRecorded(core: Hypercore, recorded: WitnessedCore | undefined): boolean {
  return (
    recorded !== undefined &&
    core.length === recorded.length &&
    core.fork === recorded.fork &&
    core.key?.toString('hex') === recorded.key
  )
}

function isSame(one: WitnessedCore | undefined, other: WitnessedCore | undefined): boolean {
  return one?.key === other?.key && one?.length === other?.length && one?.fork === other?.fork
}
