import type { PeerConnection } from '../../facilities/network/peer-connection.js'
import type { ProcessorLoad } from '../../helpers/protocol/processor-protocol.js'

/** Questions by the model that they are for. */
type Counts = Map<string, number>

/** A processor as the gateway sees it: what it reported last, and what it was sent since. */
export class KnownProcessor {
  readonly connection: PeerConnection
  #load: ProcessorLoad
  /** Sent since the last report was asked for. */
  #sent: Counts = new Map()
  /** Sent since the report was asked for that is still to come. */
  #sentMeanwhile: Counts = this.#sent

  constructor(connection: PeerConnection, load: ProcessorLoad) {
    this.connection = connection
    this.#load = load
  }

  /** As it reported itself last. */
  get load(): ProcessorLoad {
    return this.#load
  }

  /** Questions that this gateway sent it since, and that have not ended. */
  sentSince(model: string): number {
    return this.#sent.get(model) ?? 0
  }

  /** Counts a question. @returns takes it back when it has ended; to be called once */
  begin(model: string): () => void {
    // Of a report that comes now nobody knows whether it counts the question: better twice than never.
    const all = new Set([this.#sent, this.#sentMeanwhile])
    for (const counts of all) add(counts, model, 1)
    return () => {
      for (const counts of all) add(counts, model, -1)
    }
  }

  /** A report is being asked for. */
  asked(): void {
    this.#sentMeanwhile = new Map()
  }

  /** The report has come. */
  reported(load: ProcessorLoad): void {
    this.#load = load
    this.#sent = this.#sentMeanwhile
  }
}

function add(counts: Counts, model: string, questions: number): void {
  counts.set(model, (counts.get(model) ?? 0) + questions)
}
