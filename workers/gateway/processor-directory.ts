import ReadyResource from 'ready-resource'
import type { Clock, Timer } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import { repeat } from '../../facilities/clock/repeat.js'
import type { PeerConnection } from '../../facilities/network/peer-connection.js'
import { createOrigin } from '../../facilities/network/request-context.js'
import type { RolePeers } from '../../facilities/network/role-peers.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { ServedModel } from '../../helpers/protocol/gateway-protocol.js'
import {
  type ModelDetails,
  type OfferedModel,
  type ProcessorLoad,
  processorProtocol,
} from '../../helpers/protocol/processor-protocol.js'

/** A processor as the gateway sees it. */
export interface KnownProcessor {
  readonly connection: PeerConnection
  /** As it reported itself last. */
  load: ProcessorLoad
  /** Answers that this gateway has asked it for since. */
  sentSince: number
}

/** A processor and what it offers of the model that is asked for. */
export interface Candidate {
  readonly processor: KnownProcessor
  readonly offer: OfferedModel
}

/** Knows which processors are connected, what they serve and how busy they are. */
export class ProcessorDirectory extends ReadyResource {
  readonly #peers: RolePeers
  readonly #clock: Clock
  readonly #random: Random
  readonly #intervalMs: number
  readonly #known = new Map<PeerConnection, KnownProcessor>()
  #timer: Timer | null = null

  constructor(options: {
    processors: RolePeers
    clock: Clock
    random: Random
    loadIntervalMs: number
  }) {
    super()
    this.#peers = options.processors
    this.#clock = options.clock
    this.#random = options.random
    this.#intervalMs = options.loadIntervalMs
    this.#peers.on('connected', (connection: PeerConnection) => void this.#ask(connection))
    this.#peers.on('lost', (connection: PeerConnection) => this.#known.delete(connection))
  }

  /** The names of all models that answer, in alphabetical order. */
  get models(): string[] {
    const names = new Set<string>()
    for (const { load } of this.#known.values()) {
      for (const { name, purpose } of load.models) if (purpose !== 'embedding') names.add(name)
    }
    return [...names].sort()
  }

  /**
   * The processors that are best asked for a model: those that have it loaded, otherwise those that
   * can load it.
   */
  serving(model: string): Candidate[] {
    const offers = this.#offers(model)
    const loaded = offers.filter(({ offer }) => offer.isLoaded)
    return loaded.length > 0 ? loaded : offers
  }

  /** What is served, by how many, and with how much room; in alphabetical order. */
  get served(): ServedModel[] {
    return this.models.map((name) => {
      const offers = this.#offers(name).map(({ offer }) => offer)
      const contexts = offers.flatMap(({ contextTokens }) => contextTokens ?? [])
      return {
        ...detailsOf(offers),
        name,
        processors: offers.length,
        loaded: offers.filter(({ isLoaded }) => isLoaded).length,
        slots: offers.reduce((sum, { slots }) => sum + slots, 0),
        // Whichever of them answers, this much has room.
        ...(contexts.length > 0 && { contextTokens: Math.min(...contexts) }),
      }
    })
  }

  #offers(model: string): Candidate[] {
    return [...this.#known.values()].flatMap((processor) =>
      processor.load.models
        .filter(({ name }) => name === model)
        .map((offer) => ({ processor, offer })),
    )
  }

  protected override async _open(): Promise<void> {
    this.#timer = repeat(this.#clock, this.#intervalMs, async () => {
      await Promise.all(this.#peers.connections.map((connection) => this.#ask(connection)))
    })
  }

  protected override async _close(): Promise<void> {
    this.#timer?.cancel()
  }

  async #ask(connection: PeerConnection): Promise<void> {
    try {
      const origin = createOrigin(this.#clock, this.#random)
      const load = await connection.call(processorProtocol.load, {}, { origin })
      if (!connection.isOpen) return
      this.#known.set(connection, { connection, load, sentSince: 0 })
    } catch (error) {
      // Whoever cannot say how busy it is gets no work until it can.
      this.#known.delete(connection)
      if (!isStarlingError(error)) throw error
    }
  }
}

/** What is known of a model, from whoever knows most of it. */
function detailsOf(offers: readonly OfferedModel[]): ModelDetails {
  const details = offers.map(
    ({
      name: _name,
      isLoaded: _isLoaded,
      slots: _slots,
      running: _running,
      queued: _queued,
      ...rest
    }) => rest,
  )
  const [most = {}] = details.sort(
    (one, other) => Object.keys(other).length - Object.keys(one).length,
  )
  return most
}
