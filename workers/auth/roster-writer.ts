import { join } from 'node:path'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import { z } from 'zod'
import type { Clock, Timer } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import { repeat } from '../../facilities/clock/repeat.js'
import { readPrivateFile, writePrivateFile } from '../../facilities/files/private-file.js'
import type { Log } from '../../facilities/log/log.js'
import type { RosterKeeper } from '../../facilities/network/discovery/roster-keeper.js'
import type { HealthProblem } from '../../facilities/worker/worker-health.js'
import {
  encodeEntry,
  listedRoles,
  MAX_ROSTER_ENTRIES,
  type RosterEntry,
} from '../../helpers/discovery/roster-entry.js'
import type { RosterSeal } from '../../helpers/discovery/roster-pages.js'
import { signRoster } from '../../helpers/discovery/signed-roster.js'
import { type Certificate, verifyCertificate } from '../../helpers/identity/certificate.js'
import type { Identity } from '../../helpers/identity/identity.js'
import type { KeyPair } from '../../helpers/identity/key-pair.js'
import { listedWorkerSchema, RosterList } from './roster-list.js'

/** Workers that are enlisted at the same time are published together. */
const PUBLISH_DELAY_MS = 1_000
/** Between two checks that the roster is in the DHT. */
const CHECK_INTERVAL_MS = 60_000
/** Between two writes of a list of which only the times have changed. */
const SAVE_INTERVAL_MS = 60 * 60 * 1000
/** Checks in a row that did not find it, after which it is reported. */
const LOST_CHECKS_BEFORE_REPORT = 2

const stateSchema = z.strictObject({
  version: z.literal(1),
  /** The highest sequence number that was ever used. */
  sequence: z.number().int().nonnegative(),
  workers: z.array(listedWorkerSchema).max(MAX_ROSTER_ENTRIES),
})

/**
 * Writes the roster of the mesh: the workers that have enlisted at auth over an authenticated
 * connection. A sequence number is on disk before it is used, and is higher than any that was seen, so
 * that an older roster is never published after a restart.
 */
export class RosterWriter extends ReadyResource {
  readonly #path: string
  readonly #keyPair: KeyPair
  readonly #seal: RosterSeal
  readonly #keeper: RosterKeeper
  readonly #identity: Identity
  readonly #clock: Clock
  readonly #random: Random
  readonly #log: Log
  #list = new RosterList()
  /** The highest sequence that is on disk. */
  #sequence = 0
  #savedAt = Number.NEGATIVE_INFINITY
  #writing: Promise<void> = Promise.resolve()
  #delay: Timer | null = null
  #check: Timer | null = null
  #misses = 0

  /**
   * @param options.folder of the worker: the list is kept in a file there
   * @param options.rosterKey signs the roster
   * @param options.secret the mesh secret
   * @param options.identity of this worker, which is listed too
   */
  constructor(options: {
    folder: string
    rosterKey: KeyPair
    secret: Uint8Array
    identity: Identity
    keeper: RosterKeeper
    clock: Clock
    random: Random
    log: Log
  }) {
    super()
    this.#path = join(options.folder, 'roster.json')
    this.#keyPair = options.rosterKey
    this.#seal = { mesh: options.identity.mesh, secret: options.secret }
    this.#keeper = options.keeper
    this.#identity = options.identity
    this.#clock = options.clock
    this.#random = options.random
    this.#log = options.log
  }

  /**
   * Lists an authenticated worker.
   *
   * @returns the sequence of the newest roster, which may not list it yet
   * @throws StarlingError OVERLOADED if the roster is full
   */
  async enlist(certificate: Certificate): Promise<number> {
    await this.ready()
    if (this.#enlist(certificate)) this.#publishSoon()
    return this.#keeper.sequence
  }

  problems(): readonly HealthProblem[] {
    if (this.#misses < LOST_CHECKS_BEFORE_REPORT) return []
    const message = 'The roster is not found in the DHT after it was stored there'
    return [{ code: 'NOT_DISCOVERABLE', message, blocks: false }]
  }

  protected override async _open(): Promise<void> {
    await this.#keeper.ready()
    await this.#load()
    this.#check = repeat(this.#clock, CHECK_INTERVAL_MS, () => this.#publish())
    // Not awaited: a DHT that does not answer takes seconds.
    void this.#start()
  }

  protected override async _close(): Promise<void> {
    this.#delay?.cancel()
    this.#check?.cancel()
    // Not the DHT, which may not answer.
    await this.#writing
  }

  async #start(): Promise<void> {
    try {
      await this.#keeper.lookUp()
    } catch (error) {
      safetyCatch(error)
    }
    if (!this.closing) await this.#publish()
  }

  get #ownCertificate(): Certificate {
    const { mesh, keyPair } = this.#identity
    const nowMs = this.#clock.now()
    const expected = { mesh, holderPublicKey: keyPair.publicKey, nowMs }
    return verifyCertificate(this.#identity.certificate(), expected)
  }

  #enlist({ publicKey, roles, expiresAt }: Certificate): boolean {
    const worker = { publicKey, roles: listedRoles(roles), expiresAt }
    return this.#list.enlist(worker, this.#clock.now())
  }

  #publishSoon(): void {
    if (this.#delay !== null || this.closing) return
    this.#delay = this.#clock.schedule(PUBLISH_DELAY_MS, () => {
      this.#delay = null
      void this.#publish()
    })
  }

  /** Publishes the list if it is not what was published last, and checks that it can be read. */
  async #publish(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write())
    await this.#writing
    await this.#readBack()
  }

  async #write(): Promise<void> {
    try {
      await this.#writeList()
    } catch (err) {
      // The disk, or a full list. The next check tries again.
      this.#log.error({ err }, 'the roster cannot be written')
    }
  }

  async #writeList(): Promise<void> {
    const now = this.#clock.now()
    // The stored list is older than the published one: it was restored from a backup, or lost.
    if (this.#keeper.sequence > this.#sequence) this.#list.adopt(this.#keeper.entries, now)
    this.#list.expire(now)
    this.#enlist(this.#ownCertificate)
    const { entries, workers } = this.#list
    const isPublished = this.#keeper.sequence > 0 && areSame(entries, this.#keeper.entries)
    // Only the times of renewal have changed, and they need not be exact.
    if (isPublished && this.#savedAt + SAVE_INTERVAL_MS > now) return
    const newest = Math.max(this.#sequence, this.#keeper.sequence)
    const sequence = isPublished ? newest : newest + 1
    await writePrivateFile(this.#path, { version: 1, sequence, workers }, this.#random)
    this.#sequence = sequence
    this.#savedAt = now
    if (isPublished) return
    this.#keeper.offer(signRoster(entries, sequence, { keyPair: this.#keyPair, seal: this.#seal }))
    this.#log.info({ sequence, workers: entries.length }, 'roster written')
  }

  async #readBack(): Promise<void> {
    const { sequence } = this.#keeper
    if (sequence === 0 || this.closing) return
    if (!(await this.#keeper.isInDht(sequence))) await this.#keeper.putAgain().catch(safetyCatch)
    const isFound = await this.#keeper.isInDht(sequence)
    if (this.closing) return
    this.#misses = isFound ? 0 : this.#misses + 1
    if (this.#misses === LOST_CHECKS_BEFORE_REPORT)
      this.#log.warn('the roster is not found in the DHT')
  }

  async #load(): Promise<void> {
    try {
      const state = await readPrivateFile(this.#path, stateSchema)
      if (state === undefined) return
      this.#sequence = state.sequence
      this.#list = new RosterList(state.workers)
    } catch (err) {
      // The other workers know what was published last, and it is read from them.
      this.#log.error({ err }, 'the list of workers cannot be read')
    }
  }
}

/** Whether two lists contain the same workers, in any order. */
function areSame(one: readonly RosterEntry[], other: readonly RosterEntry[]): boolean {
  const bytesOf = (entries: readonly RosterEntry[]) =>
    Buffer.concat(entries.map(encodeEntry).sort(Buffer.compare))
  return bytesOf(one).equals(bytesOf(other))
}
