import type { OfferedModel } from '../../helpers/protocol/processor-protocol.js'
import { Place } from '../../helpers/routing/candidate-groups.js'
import type { CandidateLoad } from '../../helpers/routing/expected-wait.js'
import type { KnownProcessor } from './known-processor.js'

/** A processor and its offer of one model, with the requests that were sent to it since it was reported. */
export class Candidate {
  readonly place = new Place<Candidate>()
  readonly processor: KnownProcessor
  readonly #onSent: (candidate: Candidate) => void
  #offer: OfferedModel
  /** In progress, and sent between the requests for the last report and for the pending one. */
  #sent = 0
  /** In progress, and sent since the pending report was requested. */
  #sentMeanwhile = 0

  /** @param onSent called when {@link load} has changed because a request began or ended */
  constructor(
    processor: KnownProcessor,
    offer: OfferedModel,
    onSent: (candidate: Candidate) => void,
  ) {
    this.processor = processor
    this.#offer = offer
    this.#onSent = onSent
  }

  /** As it was last reported. */
  get offer(): OfferedModel {
    return this.#offer
  }

  get load(): CandidateLoad {
    return { reported: this.#offer, sentSince: this.#sent + this.#sentMeanwhile }
  }

  /** Counts a request. @returns to be called once, when the request has ended */
  begin(): () => void {
    const { requested } = this.processor
    this.#count(requested, 1)
    return () => this.#count(requested, -1)
  }

  /** A report of the processor has arrived. It may or may not include requests that were sent meanwhile. */
  reported(offer: OfferedModel): void {
    this.#offer = offer
    this.#sent = this.#sentMeanwhile
    this.#sentMeanwhile = 0
  }

  /** @param requested how many reports had been requested when the request began */
  #count(requested: number, change: 1 | -1): void {
    const { processor } = this
    // Included in a report that has arrived since.
    if (requested < processor.known) return
    const isMeanwhile = requested > processor.known
    if (isMeanwhile) this.#sentMeanwhile += change
    else this.#sent += change
    this.#onSent(this)
  }
}
