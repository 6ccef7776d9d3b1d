import { StarlingError } from '../../helpers/errors/starling-error.js'
import {
  decodeWitness,
  encodeWitness,
  newWitness,
  slotBytesFor,
  slotOf,
  WITNESS_SLOTS,
  type WitnessState,
  witnessSlot,
} from '../../helpers/store/store-witness.js'
import type { Clock } from '../clock/clock.js'
import type { DurableFile, Files } from '../files/files.js'
import { recordIsUnreadable, type StorePlace } from './store-errors.js'

/** Two slots of 2 MiB, in which 4,096 cores fit. */
const MAX_WITNESS_BYTES = 4 * 1024 * 1024

/**
 * A record of the lengths and hashes of a store, in a separate file. It is written after the store was
 * synced and before anything is acknowledged, so that it never records more than is on disk, and never
 * less than was acknowledged.
 *
 * The file has two slots of one size that are overwritten in turn: one write and one sync for each state
 * (0.3 ms, against 3 ms for a new file and a rename). A torn write leaves the state in the other slot. A state
 * that does not fit into a slot is written to a new file with larger ones.
 */
export class Witness {
  readonly #files: Files
  readonly #place: StorePlace
  readonly #path: string
  readonly #clock: Pick<Clock, 'now'>
  #state: WitnessState | null = null
  #file: DurableFile | undefined
  #slotBytes = 0

  /** @param parts.path of its file; default: the witness of the place */
  constructor(parts: {
    readonly files: Files
    readonly place: StorePlace
    readonly clock: Pick<Clock, 'now'>
    readonly path?: string
  }) {
    this.#files = parts.files
    this.#place = parts.place
    this.#path = parts.path ?? parts.place.witness
    this.#clock = parts.clock
  }

  /** Its content; null if there was none, or it is not loaded yet. */
  get state(): WitnessState | null {
    return this.#state
  }

  /** @throws StarlingError STORE_DAMAGED if it is damaged; HOME_UNUSABLE, DISK_FAILED */
  async load(): Promise<WitnessState | null> {
    await this.close()
    this.#state = null
    this.#file = await this.#files.open(this.#path)
    if (this.#file === undefined) return null
    const bytes = await this.#read(this.#file)
    this.#slotBytes = bytes.byteLength / WITNESS_SLOTS
    this.#state = decodeWitness(bytes)
    if (this.#state === null) throw recordIsUnreadable(this.#place, this.#path)
    return this.#state
  }

  /**
   * Resolves when the state is on disk. One call at a time.
   *
   * @param cores the states of all cores, which are on disk already
   * @throws StarlingError HOME_UNUSABLE, DISK_FULL, DISK_FAILED
   */
  async record(cores: WitnessState['cores']): Promise<void> {
    const state = {
      sequence: (this.#state?.sequence ?? 0) + 1,
      writtenAt: this.#clock.now(),
      cores,
    }
    const line = encodeWitness(state)
    const isTooSmall = slotBytesFor(line) > this.#slotBytes
    if (this.#state === null || isTooSmall) await this.#create(state)
    else await this.#overwrite(slotOf(state), line)
    this.#state = state
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  async #read(file: DurableFile): Promise<Uint8Array> {
    const length = await file.length()
    if (length <= MAX_WITNESS_BYTES) return await file.read(0, length)
    throw new StarlingError(
      'HOME_UNUSABLE',
      `${this.#path} has ${length} bytes, more than the limit of ${MAX_WITNESS_BYTES}; remove it`,
    )
  }

  async #create(state: WitnessState): Promise<void> {
    // The open file would stay the old one.
    await this.close()
    const bytes = newWitness(state)
    await this.#files.replace(this.#path, bytes)
    this.#slotBytes = bytes.byteLength / WITNESS_SLOTS
  }

  async #overwrite(slot: number, line: Uint8Array): Promise<void> {
    this.#file ??= await this.#files.open(this.#path)
    if (this.#file === undefined) {
      throw new StarlingError('HOME_UNUSABLE', `${this.#path} was removed while it was in use`)
    }
    await this.#file.write(slot * this.#slotBytes, witnessSlot(this.#slotBytes, line))
    await this.#file.sync()
  }
}
