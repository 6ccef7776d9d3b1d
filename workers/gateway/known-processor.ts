import type { OutgoingConnection } from '../../facilities/network/connection/outgoing-connection.js'
import type { ProcessorLoad } from '../../helpers/protocol/processor-protocol.js'

/** Questions by the model that they are for. */
type Counts = Map<string, number>

/** A processor as the gateway knows it: its last report, and the questions sent to it since. */
export class KnownProcessor {
  readonly connection: OutgoingConnection
  #load: ProcessorLoad
  /** Sent since the last report was requested. */
  #sent: Counts = new Map()
  /** Sent since the pending report was requested. */
  #sentMeanwhile: Counts = this.#sent

  constructor(connection: OutgoingConnection, load: ProcessorLoad) {
    this.connection = connection
    this.#load = load
  }

  /** Its last report. */
  get load(): ProcessorLoad {
    return this.#load
  }

  /** Questions that this gateway sent to it since, and that have not ended. */
  sentSince(model: string): number {
    return this.#sent.get(model) ?? 0
  }

  /** Counts a question. @returns to be called once, when the question has ended */
  begin(model: string): () => void {
    // The pending report may or may not include this question: better counted twice than not at all.
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

function add(counts: Counts, model: string, questions: number): void {
  counts.set(model, (counts.get(model) ?? 0) + questions)
}
