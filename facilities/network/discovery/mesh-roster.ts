import type HyperDHT from 'hyperdht'
import ReadyResource from 'ready-resource'
import safetyCatch from 'safety-catch'
import { isRosterKeyOf, type RosterKeyCertificate } from '../../../helpers/discovery/roster-key.js'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { Clock, Timer } from '../../clock/clock.js'
import type { Random } from '../../clock/random.js'
import { repeat } from '../../clock/repeat.js'
import type { Peers } from '../calls/peers.js'
import type { Service } from '../calls/service.js'
import { Enlistment } from './enlistment.js'
import { RosterDht } from './roster-dht.js'
import { RosterHandover } from './roster-handover.js'
import { type RosterEvents, RosterKeeper, type RosterStore } from './roster-keeper.js'

/** Between two rounds, on average: the DHT forgets records when strangers store many. */
const ROSTER_ROUND_MS = 60_000
/** The same while no roster is known, or the newest one does not list this worker yet. */
const EARLY_ROSTER_ROUND_MS = 5_000

/** How a worker takes part in the roster of its mesh. */
export interface RosterSettings {
  /** Of the key that signs the roster. */
  readonly certificate: RosterKeyCertificate
  /** Keeps the newest roster; null: it is not kept. */
  readonly store: RosterStore | null
}

/** The parts of a {@link MeshRoster}. */
export interface MeshRosterOptions extends RosterSettings {
  /** The root public key, hexadecimal: the name of the mesh. */
  readonly mesh: string
  /** The mesh secret. */
  readonly secret: Uint8Array
  /** The key of this worker; null for one that is not listed, such as a client. */
  readonly publicKey: Uint8Array | null
  readonly dht: HyperDHT
  readonly clock: Clock
  readonly random: Random
  readonly events: RosterEvents
}

/**
 * The roster as one worker takes part in it. Every minute or so it looks for a newer one in the DHT, asks one
 * of the connected workers, and stores the newest in the DHT again. It also asks each worker that it connects
 * to.
 */
export class MeshRoster extends ReadyResource {
  readonly keeper: RosterKeeper
  readonly #publicKey: Uint8Array | null
  readonly #clock: Clock
  readonly #random: Random
  readonly #handover: RosterHandover
  readonly #watched: Peers[] = []
  #enlistment: Enlistment | null = null
  #timer: Timer | null = null

  /** @throws StarlingError CERTIFICATE_INVALID if the roster key is not certified by the mesh */
  constructor(options: MeshRosterOptions) {
    super()
    const { mesh, secret, certificate } = options
    if (!isRosterKeyOf(mesh, certificate)) {
      const message = 'The key of the roster is not certified by this mesh'
      throw new StarlingError('CERTIFICATE_INVALID', message)
    }
    const keys = { mesh, secret, publicKey: certificate.publicKey }
    this.#publicKey = options.publicKey
    this.#clock = options.clock
    this.#random = options.random
    this.keeper = new RosterKeeper({ ...options, keys, dht: new RosterDht({ ...options, keys }) })
    this.#handover = new RosterHandover({
      ...options,
      keeper: this.keeper,
      onRefused: (error) => options.events.onRosterFailure(error),
    })
  }

  /** Sends the roster to peers that ask for it. */
  answer(service: Service): void {
    this.#handover.answer(service)
  }

  /** Asks each of these workers for its roster when it is connected. */
  watch(peers: Peers): void {
    this.#watched.push(peers)
    peers.on('connected', (peer) => void this.#handover.ask(peer))
  }

  /** Has this worker listed, as soon as one of these auth workers is connected. */
  enlistAt(auth: Peers): void {
    this.#enlistment = new Enlistment({
      auth,
      clock: this.#clock,
      random: this.#random,
      onSequence: (sequence, peer) => {
        if (sequence > this.keeper.sequence) void this.#handover.ask(peer)
      },
    })
  }

  /** Looks for a newer roster now, and stores the newest again. Does not fail. */
  async round(): Promise<void> {
    await ignoreFailure(this.keeper.lookUp())
    const connections = this.#watched.flatMap((peers) => peers.connections)
    const one = connections[this.#random.below(Math.max(1, connections.length))]
    if (one !== undefined) await this.#handover.ask(one)
    if (this.#publicKey !== null && !this.closing) await ignoreFailure(this.keeper.putAgain())
  }

  protected override async _open(): Promise<void> {
    await this.keeper.ready()
    await this.#enlistment?.ready()
    // The first round is not awaited: a DHT that does not answer takes seconds.
    void this.round()
    this.#timer = repeat(
      this.#clock,
      () => this.#pauseMs(),
      () => this.round(),
    )
  }

  protected override async _close(): Promise<void> {
    this.#timer?.cancel()
    await this.#enlistment?.close()
    await this.keeper.close()
  }

  #pauseMs(): number {
    const { sequence } = this.keeper
    const isEarly =
      sequence === 0 || (this.#publicKey !== null && !this.keeper.lists(this.#publicKey))
    return (
      (isEarly ? EARLY_ROSTER_ROUND_MS : ROSTER_ROUND_MS) * (0.75 + this.#random.fraction() / 2)
    )
  }
}

/** The bootstrap node may be just being replaced: the next round finds the new one. */
async function ignoreFailure(work: Promise<unknown>): Promise<void> {
  try {
    await work
  } catch (error) {
    safetyCatch(error)
  }
}
