import type { Peer } from '../../facilities/network/calls/peers.js'
import type { OfferedModel } from '../../helpers/protocol/processor-protocol.js'

/** A processor and its last report. */
export class KnownProcessor {
  readonly connection: Peer
  #offers: ReadonlyMap<string, OfferedModel> = new Map()
  #requested = 0
  #known = 0

  constructor(connection: Peer) {
    this.connection = connection
  }

  /** The models of its last report by name, in the order of its configuration. */
  get offers(): ReadonlyMap<string, OfferedModel> {
    return this.#offers
  }

  /** How many reports have been requested. */
  get requested(): number {
    return this.#requested
  }

  /** How many had been requested when the last report that has arrived was requested. */
  get known(): number {
    return this.#known
  }

  /** A report has been requested. */
  asked(): void {
    this.#requested += 1
  }

  /** The requested report has arrived. A model that is listed twice counts once. */
  reported(models: readonly OfferedModel[]): void {
    const offers = new Map<string, OfferedModel>()
    for (const offer of models) if (!offers.has(offer.name)) offers.set(offer.name, offer)
    this.#offers = offers
    this.#known = this.#requested
  }
}
