import ReadyResource from 'ready-resource'
import type { Clock } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import type { Peer, Peers } from '../../facilities/network/calls/peers.js'
import { createOrigin } from '../../facilities/network/calls/request-context.js'
import { isStarlingError } from '../../helpers/errors/starling-error.js'
import type { ServedModel } from '../../helpers/protocol/gateway-protocol.js'
import { type OfferedModel, processorProtocol } from '../../helpers/protocol/processor-protocol.js'
import { leadingModels } from '../../helpers/routing/default-model.js'
import { KnownProcessor } from './known-processor.js'
import { LoadPolling } from './load-polling.js'
import { type ModelOffers, OfferIndex } from './model-offers.js'

/**
 * The connected processors, the models that they serve, and their load. Holds tens of thousands of processors: what
 * a request needs is kept up to date with each report, and found by the name of the model.
 */
export class ProcessorDirectory extends ReadyResource {
  readonly #clock: Clock
  readonly #random: Random
  readonly #polling: LoadPolling
  readonly #known = new Map<Peer, KnownProcessor>()
  readonly #answering = new OfferIndex()
  readonly #embedding = new OfferIndex()
  /** On how many processors each model is the first one that answers prompts. */
  readonly #firsts = new Map<string, number>()
  /** Null: not known, because a processor has another first model than before. */
  #leading: readonly string[] | null = null

  constructor(options: {
    processors: Peers
    clock: Clock
    random: Random
    loadIntervalMs: number
  }) {
    super()
    const { processors, clock, loadIntervalMs: intervalMs } = options
    this.#clock = clock
    this.#random = options.random
    this.#polling = new LoadPolling({ clock, intervalMs, ask: (peer) => this.#ask(peer) })
    for (const peer of processors.connections) this.#polling.add(peer)
    processors.on('connected', (peer) => this.#polling.add(peer))
    processors.on('lost', (peer) => {
      this.#polling.remove(peer)
      this.#forget(peer)
    })
  }

  /** The names of all models that answer prompts, in alphabetical order. */
  get models(): readonly string[] {
    return this.#answering.models
  }

  /** The names of all embedding models, in alphabetical order. */
  get embeddingModels(): readonly string[] {
    return this.#embedding.models
  }

  /** The models that are the first one that answers prompts on most processors, in alphabetical order. */
  get leadingModels(): readonly string[] {
    this.#leading ??= leadingModels(this.#firsts)
    return this.#leading
  }

  /** Whether any processor offers a model of this name, for any purpose. */
  has(model: string): boolean {
    return (this.#answering.of(model) ?? this.#embedding.of(model)) !== undefined
  }

  /** The processors that answer prompts with a model, loaded or not; undefined if there are none. */
  serving(model: string): ModelOffers | undefined {
    return this.#answering.of(model)
  }

  /** The number of slots for a model, of all processors that answer prompts with it. */
  slots(model: string): number {
    return this.#answering.of(model)?.slots ?? 0
  }

  /** All models that answer prompts, in alphabetical order. */
  get served(): ServedModel[] {
    return this.models.flatMap((name) => this.#answering.of(name)?.served ?? [])
  }

  protected override async _open(): Promise<void> {
    this.#polling.start()
  }

  protected override async _close(): Promise<void> {
    this.#polling.stop()
  }

  async #ask(peer: Peer): Promise<void> {
    this.#known.get(peer)?.asked()
    try {
      const origin = createOrigin(this.#clock, this.#random)
      const { models } = await peer.call(processorProtocol.load, {}, { origin })
      if (peer.isOpen) this.#reported(peer, models)
    } catch (error) {
      // A processor that does not report its load gets no requests until it does.
      this.#forget(peer)
      if (!isStarlingError(error)) throw error
    }
  }

  #reported(peer: Peer, models: readonly OfferedModel[]): void {
    const known = this.#known.get(peer)
    const processor = known ?? new KnownProcessor(peer)
    this.#known.set(peer, processor)
    const before = processor.offers
    processor.reported(models)
    this.#index(processor, before)
  }

  #forget(peer: Peer): void {
    const processor = this.#known.get(peer)
    if (processor === undefined) return
    this.#known.delete(peer)
    const before = processor.offers
    processor.reported([])
    this.#index(processor, before)
  }

  /** @param before the offers of the processor before its last report */
  #index(processor: KnownProcessor, before: ReadonlyMap<string, OfferedModel>): void {
    const { offers } = processor
    for (const model of new Set([...before.keys(), ...offers.keys()])) {
      const offer = offers.get(model)
      const isAnswering = offer !== undefined && answers(offer)
      this.#answering.set(model, processor, isAnswering ? offer : undefined)
      this.#embedding.set(model, processor, isAnswering ? undefined : offer)
    }
    const [first, firstBefore] = [firstOf(offers), firstOf(before)]
    if (first === firstBefore) return
    this.#vote(firstBefore, -1)
    this.#vote(first, 1)
  }

  #vote(model: string | undefined, change: 1 | -1): void {
    if (model === undefined) return
    const votes = (this.#firsts.get(model) ?? 0) + change
    if (votes === 0) this.#firsts.delete(model)
    else this.#firsts.set(model, votes)
    this.#leading = null
  }
}

/** Whether a model answers prompts. */
function answers({ purpose }: OfferedModel): boolean {
  return purpose !== 'embedding'
}

/** The name of the first model that answers prompts. */
function firstOf(offers: ReadonlyMap<string, OfferedModel>): string | undefined {
  for (const offer of offers.values()) if (answers(offer)) return offer.name
  return undefined
}
