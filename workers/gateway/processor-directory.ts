import ReadyResource from 'ready-resource'
import type { Clock, Timer } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import { repeat } from '../../facilities/clock/repeat.js'
import type { Peer, Peers } from '../../facilities/network/calls/peers.js'
import { createOrigin } from '../../facilities/network/calls/request-context.js'

import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { ServedModel } from '../../helpers/protocol/gateway-protocol.js'
import type { ProcessorLoad } from '../../helpers/protocol/processor-protocol.js'
import {
  type ModelDetails,
  modelDetailsSchema,
  type OfferedModel,
  processorProtocol,
} from '../../helpers/protocol/processor-protocol.js'

/** A processor and its offer of the requested model. */
export interface Candidate {
  readonly processor: KnownProcessor
  readonly offer: OfferedModel
}

/** The connected processors, the models that they serve, and their load. */
export class ProcessorDirectory extends ReadyResource {
  readonly #peers: Peers
  readonly #clock: Clock
  readonly #random: Random
  readonly #intervalMs: number
  readonly #known = new Map<Peer, KnownProcessor>()
  /** Processors whose report is pending. */
  readonly #pending = new Set<Peer>()
  #timer: Timer | null = null

  constructor(options: {
    processors: Peers
    clock: Clock
    random: Random
    loadIntervalMs: number
  }) {
    super()
    this.#peers = options.processors
    this.#clock = options.clock
    this.#random = options.random
    this.#intervalMs = options.loadIntervalMs
    this.#peers.on('connected', (connection: Peer) => void this.#ask(connection))
    this.#peers.on('lost', (connection: Peer) => this.#known.delete(connection))
  }

  /** The names of all models that answer prompts, in alphabetical order. */
  get models(): string[] {
    return this.#names(answers)
  }

  /** The names of all embedding models, in alphabetical order. */
  get embeddingModels(): string[] {
    return this.#names((offer) => !answers(offer))
  }

  /** For each processor, the first of its models that answers prompts. */
  get firstModels(): string[] {
    return [...this.#known.values()].flatMap(({ load }) => load.models.find(answers)?.name ?? [])
  }

  /** Whether any processor offers a model of this name, for any purpose. */
  has(model: string): boolean {
    return this.#offers(model).length > 0
  }

  /** The processors that answer prompts with a model, loaded or not. */
  serving(model: string): Candidate[] {
    return this.#offers(model).filter(({ offer }) => answers(offer))
  }

  /** The number of slots for a model, of all processors that {@link serving} returns. */
  slots(model: string): number {
    return this.serving(model).reduce((sum, { offer }) => sum + offer.slots, 0)
  }

  /** All models that answer prompts, in alphabetical order. */
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
        // The smallest of all processors, because any of them may be chosen.
        ...(contexts.length > 0 && { contextTokens: Math.min(...contexts) }),
      }
    })
  }

  #names(isMeant: (offer: OfferedModel) => boolean): string[] {
    const offers = [...this.#known.values()].flatMap(({ load }) => load.models)
    return [...new Set(offers.filter(isMeant).map(({ name }) => name))].sort()
  }

  #offers(model: string): Candidate[] {
    return [...this.#known.values()].flatMap((processor) =>
      processor.load.models
        .filter(({ name }) => name === model)
        .map((offer) => ({ processor, offer })),
    )
  }

  protected override async _open(): Promise<void> {
    // Not awaited: a processor that does not respond must not delay the reports of the others.
    this.#timer = repeat(this.#clock, this.#intervalMs, () => {
      for (const connection of this.#peers.connections) void this.#ask(connection)
    })
  }

  protected override async _close(): Promise<void> {
    this.#timer?.cancel()
  }

  async #ask(connection: Peer): Promise<void> {
    if (this.#pending.has(connection)) return
    this.#pending.add(connection)
    this.#known.get(connection)?.asked()
    try {
      const origin = createOrigin(this.#clock, this.#random)
      const load = await connection.call(processorProtocol.load, {}, { origin })
      if (!connection.isOpen) return
      const known = this.#known.get(connection)
      if (known === undefined) this.#known.set(connection, new KnownProcessor(connection, load))
      else known.reported(load)
    } catch (error) {
      // A processor that does not report its load gets no requests until it does.
      this.#known.delete(connection)
      if (!isStarlingError(error)) throw error
    } finally {
      this.#pending.delete(connection)
    }
  }
}

/** Whether a model answers prompts. */
function answers({ purpose }: OfferedModel): boolean {
  return purpose !== 'embedding'
}

/** The details of a model, from the offer with the most of them. */
function detailsOf(offers: readonly OfferedModel[]): ModelDetails {
  const details = offers.map((offer) => modelDetailsSchema.strip().parse(offer))
  const [most = {}] = details.sort(
    (one, other) => Object.keys(other).length - Object.keys(one).length,
  )
  return most
}

/** Numbers of requests, by model. */
type Counts = Map<string, number>

/** A processor with its last report and the requests that were sent to it since. */
export class KnownProcessor {
  readonly connection: Peer
  #load: ProcessorLoad
  /** Sent since the last report was requested. */
  #sent: Counts = new Map()
  /** Sent since the pending report was requested. */
  #sentMeanwhile: Counts = this.#sent

  constructor(connection: Peer, load: ProcessorLoad) {
    this.connection = connection
    this.#load = load
  }

  /** Its last report. */
  get load(): ProcessorLoad {
    return this.#load
  }

  /** Requests that this gateway has sent to it since its last report and that have not ended. */
  sentSince(model: string): number {
    return this.#sent.get(model) ?? 0
  }

  /** Counts a request. @returns to be called once, when the request has ended */
  begin(model: string): () => void {
    // The pending report may or may not include this request. It is counted twice rather than not at all.
    const all = new Set([this.#sent, this.#sentMeanwhile])
    for (const counts of all) add(counts, model, 1)
    return () => {
      for (const counts of all) add(counts, model, -1)
    }
  }

  /** A report has been requested. */
  asked(): void {
    this.#sentMeanwhile = new Map()
  }

  /** The requested report has arrived. */
  reported(load: ProcessorLoad): void {
    this.#load = load
    this.#sent = this.#sentMeanwhile
  }
}

function add(counts: Counts, model: string, requests: number): void {
  counts.set(model, (counts.get(model) ?? 0) + requests)
}
