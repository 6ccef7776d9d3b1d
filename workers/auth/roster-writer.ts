import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import type { Clock, Timer } from '../../facilities/clock/clock.js'
import { repeat } from '../../facilities/clock/repeat.js'
import type { Log } from '../../facilities/log/log.js'
import type { RosterKeeper } from '../../facilities/network/discovery/roster-keeper.js'
import { CommandRunner } from '../../facilities/store/command-runner.js'
import type { Records } from '../../facilities/store/records.js'
import type { HealthProblem } from '../../facilities/worker/worker-health.js'
import { publishRoster } from '../../helpers/discovery/publish-roster.js'
import {
  enlist,
  enlistAll,
  entriesOf,
  type ListedWorker,
  listedWorker,
  type RosterList,
} from '../../helpers/discovery/roster-list.js'
import type { RosterSeal } from '../../helpers/discovery/roster-pages.js'
import { signRoster } from '../../helpers/discovery/signed-roster.js'
import { type Certificate, verifyCertificate } from '../../helpers/identity/certificate.js'
import type { Identity } from '../../helpers/identity/identity.js'
import type { KeyPair } from '../../helpers/identity/key-pair.js'

/** Workers that are enlisted at the same time are published together. */
const PUBLISH_DELAY_MS = 1_000
/** Between two checks that the roster is in the DHT. */
const CHECK_INTERVAL_MS = 60_000
/** Checks in a row that did not find it, after which it is reported. */
const LOST_CHECKS_BEFORE_REPORT = 2

/**
 * Writes the roster of the mesh: the workers that have enlisted at auth over an authenticated
 * connection. A sequence number is on disk before it is used, and is higher than any that was seen, so
 * that an older roster is never published after a restart.
 */
export class RosterWriter extends ReadyResource {
  readonly #commands: CommandRunner
  readonly #keyPair: KeyPair
  readonly #seal: RosterSeal
  readonly #keeper: RosterKeeper
  readonly #identity: Identity
  readonly #clock: Clock
  readonly #log: Log
  /** The workers that have enlisted since the list was stored. */
  readonly #enlisted = new Map<string, ListedWorker>()
  #list: RosterList = new Map()
  #writing: Promise<void> = Promise.resolve()
  #delay: Timer | null = null
  #check: Timer | null = null
  #misses = 0

  /**
   * @param options.records the list is kept in them; closed by their creator
   * @param options.rosterKey signs the roster
   * @param options.secret the mesh secret
   * @param options.identity of this worker, which is listed too
   */
  constructor(options: {
    records: Records
    rosterKey: KeyPair
    secret: Uint8Array
    identity: Identity
    keeper: RosterKeeper
    clock: Clock
    log: Log
  }) {
    super()
    this.#commands = new CommandRunner(options)
    this.#keyPair = options.rosterKey
    this.#seal = { mesh: options.identity.mesh, secret: options.secret }
    this.#keeper = options.keeper
    this.#identity = options.identity
    this.#clock = options.clock
    this.#log = options.log
  }

  /**
   * Lists an authenticated worker.
   *
   * @returns the sequence of the newest roster, which may not list it yet
   * @throws StarlingError OVERLOADED if the roster is full; FORBIDDEN if the worker has no role that is listed
   */
  async enlist(certificate: Certificate): Promise<number> {
    await this.ready()
    const worker = listedWorker(certificate, this.#clock.now())
    const known = this.#list.get(worker.publicKey)
    this.#list = enlist(this.#list, worker)
    this.#enlisted.set(worker.publicKey, worker)
    if (known?.roles.join() !== worker.roles.join()) this.#publishSoon()
    return this.#keeper.sequence
  }

  problems(): readonly HealthProblem[] {
    if (this.#misses < LOST_CHECKS_BEFORE_REPORT) return []
    const message = 'The roster is not found in the DHT after it was stored there'
    return [{ code: 'NOT_DISCOVERABLE', message, blocks: false }]
  }

  protected override async _open(): Promise<void> {
    await this.#keeper.ready()
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
    const own = listedWorker(this.#ownCertificate, this.#clock.now())
    const enlisted = [own, ...this.#enlisted.values()]
    const { sequence, entries } = this.#keeper
    const decision = await this.#commands.run(publishRoster, {
      enlisted,
      published: { sequence, entries },
    })
    if (decision.isStored) this.#forget(enlisted)
    this.#list = enlistAll(decision.list, this.#enlisted.values())
    if (!decision.isNew) return
    const seal = { keyPair: this.#keyPair, seal: this.#seal }
    this.#keeper.offer(signRoster(entriesOf(decision.list), decision.sequence, seal))
    const { size } = decision.list
    this.#log.info({ sequence: decision.sequence, workers: size }, 'roster written')
  }

  /** Except workers that have enlisted again since. */
  #forget(stored: readonly ListedWorker[]): void {
    for (const worker of stored) {
      if (this.#enlisted.get(worker.publicKey) === worker) this.#enlisted.delete(worker.publicKey)
    }
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
}
