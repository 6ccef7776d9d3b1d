import type Corestore from 'corestore'
import type Hypercore from 'hypercore'
import ReadyResource from 'ready-resource'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { WitnessState } from '../../helpers/store-witness.js'
import { coreState, hashAt } from './core-state.js'
import { contradictsWitness, type StorePlace } from './store-damage.js'
import type { Witness } from './witness.js'

/**
 * A Corestore whose cores are held against a witness when they are opened, and of which the witness
 * is told with every commit. What was committed is on disk, and is missed when it is gone.
 *
 * It takes the Corestore and the witness over: closing it closes both.
 */
export class DurableStore extends ReadyResource {
  readonly corestore: Corestore
  readonly #witness: Witness
  readonly #place: StorePlace
  readonly #cores = new Map<string, Hypercore>()
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | null = null
  #failure: StarlingError | null = null

  /** @param parts.witness what it says has been found to be true by `verifyStore` */
  constructor(parts: {
    readonly corestore: Corestore
    readonly witness: Witness
    readonly place: StorePlace
  }) {
    super()
    this.corestore = parts.corestore
    this.#witness = parts.witness
    this.#place = parts.place
  }

  protected override async _open(): Promise<void> {
    await this.#witness.load()
    await this.corestore.ready()
  }

  /** Commits that were asked for before are finished first. */
  protected override async _close(): Promise<void> {
    // Whoever asked for it is told of its failure.
    await (this.#next ?? this.#running).catch(() => undefined)
    await this.corestore.close()
    await this.#witness.close()
  }

  /**
   * Takes a core that is ready into every commit from now on, the first of which is done here.
   *
   * @param name under which the witness knows it
   * @throws StarlingError STORE_DAMAGED when it is not what the witness says: nothing must be
   *   appended to it; HOME_UNUSABLE
   */
  async track(name: string, core: Hypercore): Promise<void> {
    await this.ready()
    const said = this.#witness.state
    const expected = said?.cores[name]
    if (said !== null && expected !== undefined) {
      const found = await coreState(core)
      const isSame =
        found.key === expected.key &&
        found.fork === expected.fork &&
        found.length >= expected.length &&
        (await hashAt(core, expected.length)) === expected.treeHash
      if (!isSame) throw contradictsWitness(this.#place, said, name, found)
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
   * @throws StarlingError HOME_UNUSABLE when the disk fails: what is on it is then unknown, and
   *   nothing is committed any more
   */
  commit(): Promise<void> {
    this.#next ??= this.#commitNext(this.#running)
    return this.#next
  }

  async #commitNext(previous: Promise<void>): Promise<void> {
    // Its own callers are told.
    await previous.catch(() => undefined)
    this.#running = this.#commitNow()
    this.#next = null
    await this.#running
  }

  async #commitNow(): Promise<void> {
    if (this.#failure !== null) throw this.#failure
    try {
      // Taken before the sync: what is appended meanwhile may not be in it.
      const cores = await this.#currentCores()
      await this.corestore.storage.db.flush()
      if (!this.#isWitnessed(cores)) await this.#witness.record(cores)
    } catch (cause) {
      // A second sync after one that failed may falsely succeed.
      this.#failure = new StarlingError('HOME_UNUSABLE', 'The store cannot write to its disk', {
        cause,
      })
      throw this.#failure
    }
  }

  /** With those that are not open now as the witness knows them. */
  async #currentCores(): Promise<WitnessState['cores']> {
    const cores = { ...this.#witness.state?.cores }
    for (const [name, core] of this.#cores) cores[name] = await coreState(core)
    return cores
  }

  #isWitnessed(cores: WitnessState['cores']): boolean {
    const said = this.#witness.state?.cores
    if (said === undefined) return false
    return Object.entries(cores).every(([name, { length, fork }]) => {
      return said[name]?.length === length && said[name].fork === fork
    })
  }
}
