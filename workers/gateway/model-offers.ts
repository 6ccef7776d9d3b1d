import type { ServedModel } from '../../helpers/protocol/gateway-protocol.js'
import {
  type ModelDetails,
  modelDetailsSchema,
  type OfferedModel,
} from '../../helpers/protocol/processor-protocol.js'
import { CandidateGroups } from '../../helpers/routing/candidate-groups.js'
import { chooseCandidate } from '../../helpers/routing/choose-candidate.js'
import { Candidate } from './candidate.js'
import type { KnownProcessor } from './known-processor.js'

/** The most slots of one processor that are counted. Sums of larger numbers would not be exact. */
const MAX_COUNTED_SLOTS = 65_536

const DETAILS = modelDetailsSchema.keyof().options

/** The offers of one model, by all processors that serve it. */
export class ModelOffers {
  readonly #model: string
  readonly #candidates = new Map<KnownProcessor, Candidate>()
  readonly #groups = new CandidateGroups<Candidate>()
  readonly #onSent = (candidate: Candidate) => {
    // It may have been removed while the request was in progress.
    if (candidate.place.group !== null) this.#groups.put(candidate, candidate.load)
  }
  #slots = 0
  #loaded = 0
  /** Null: not known, because an offer was added or removed or has other details than before. */
  #details: ModelDetails | null = null

  constructor(model: string) {
    this.#model = model
  }

  /** The number of processors. */
  get size(): number {
    return this.#candidates.size
  }

  /** The slots of all processors together. */
  get slots(): number {
    return this.#slots
  }

  /** The model, as clients see it. */
  get served(): ServedModel {
    this.#details ??= detailsOf([...this.#candidates.values()].map(({ offer }) => offer))
    return {
      ...this.#details,
      name: this.#model,
      processors: this.size,
      loaded: this.#loaded,
      slots: this.#slots,
    }
  }

  /** A processor has reported its offer. */
  put(processor: KnownProcessor, offer: OfferedModel): void {
    const known = this.#candidates.get(processor)
    if (known === undefined || !hasSameDetails(known.offer, offer)) this.#details = null
    if (known !== undefined) this.#count(known.offer, -1)
    this.#count(offer, 1)
    known?.reported(offer)
    const candidate = known ?? new Candidate(processor, offer, this.#onSent)
    this.#candidates.set(processor, candidate)
    this.#groups.put(candidate, candidate.load)
  }

  /** Removes the offer of a processor, if there is one. */
  remove(processor: KnownProcessor): void {
    const candidate = this.#candidates.get(processor)
    if (candidate === undefined) return
    this.#details = null
    this.#count(candidate.offer, -1)
    this.#candidates.delete(processor)
    this.#groups.remove(candidate)
  }

  /**
   * Chooses a processor for a request: see {@link chooseCandidate}.
   *
   * @param below gives a random whole number from 0 up to, not including, its argument
   * @returns undefined if nobody serves the model
   */
  choose(below: (limit: number) => number): Candidate | undefined {
    return chooseCandidate(this.#groups, below)
  }

  #count({ slots, isLoaded }: OfferedModel, change: 1 | -1): void {
    this.#slots += change * Math.min(slots, MAX_COUNTED_SLOTS)
    if (isLoaded) this.#loaded += change
  }
}

/** Offers by model. */
export class OfferIndex {
  readonly #byModel = new Map<string, ModelOffers>()
  /** Null: not known, because a model was added or removed. */
  #models: readonly string[] | null = null

  /** The names of all models, in alphabetical order. */
  get models(): readonly string[] {
    this.#models ??= [...this.#byModel.keys()].sort()
    return this.#models
  }

  /** The offers of a model; undefined if there are none. */
  of(model: string): ModelOffers | undefined {
    return this.#byModel.get(model)
  }

  /** A processor has reported. @param offer undefined: it does not offer the model any more */
  set(model: string, processor: KnownProcessor, offer: OfferedModel | undefined): void {
    const known = this.#byModel.get(model)
    if (offer !== undefined) {
      const offers = known ?? new ModelOffers(model)
      offers.put(processor, offer)
      if (known !== undefined) return
      this.#byModel.set(model, offers)
      this.#models = null
    } else if (known !== undefined) {
      known.remove(processor)
      if (known.size > 0) return
      this.#byModel.delete(model)
      this.#models = null
    }
  }
}

function hasSameDetails(one: OfferedModel, other: OfferedModel): boolean {
  return DETAILS.every((name) => one[name] === other[name])
}

/**
 * The details of a model, from the offer with the most of them. The context is the smallest of all processors,
 * because any of them may be chosen.
 */
function detailsOf(offers: Iterable<OfferedModel>): ModelDetails {
  let most: OfferedModel | undefined
  let mostCount = -1
  let contextTokens = Number.POSITIVE_INFINITY
  for (const offer of offers) {
    const count = DETAILS.filter((name) => offer[name] !== undefined).length
    if (count > mostCount) [most, mostCount] = [offer, count]
    contextTokens = Math.min(contextTokens, offer.contextTokens ?? contextTokens)
  }
  return {
    ...modelDetailsSchema.strip().parse(most ?? {}),
    ...(Number.isFinite(contextTokens) && { contextTokens }),
  }
}
