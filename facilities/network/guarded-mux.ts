import Protomux from 'protomux'

/**
 * The multiplexer, with what it lacks against a hostile peer: it follows batches within batches
 * without an end, so one frame of 16 KB, sent before anybody has proved anything, would exhaust the
 * stack; and it takes that for a mistake of ours and ends the process. It never nests batches
 * itself, so whoever does is cut off.
 */
export class GuardedMux extends Protomux {
  #inBatch = false

  protected override _onbatch(state: object): void {
    // A plain Error makes the multiplexer destroy the connection, and nothing more.
    if (this.#inBatch) throw new Error('The peer sent a batch within a batch')
    this.#inBatch = true
    try {
      super._onbatch(state)
    } finally {
      this.#inBatch = false
    }
  }
}
