import type HyperDHT from 'hyperdht'
import Protomux from 'protomux'

/**
 * The size of one batch of messages. The default of the multiplexer, 8 MiB, is more than a peer
 * accepts. A larger message is sent in a separate batch.
 */
export const MAX_BATCH_BYTES = 256 * 1024

/**
 * The highest channel number that a peer may use. The multiplexer keeps an entry for each number and never
 * frees it, even if the channel was rejected. Our own side reuses numbers.
 */
const MAX_CHANNEL_IDS = 65_536

/**
 * The multiplexer, with protection against a hostile peer. Protomux reads nested batches recursively, without
 * a limit: one frame of 16 KB, sent before the hello, would exhaust the stack, and Protomux would end the
 * process. It never writes nested batches itself, so a peer that sends them is cut off.
 */
export class GuardedMux extends Protomux {
  #inBatch = false

  /** @param onWrite called with the size of each message before it is written */
  constructor(stream: HyperDHT.SecretStream, onWrite: (bytes: number) => void = () => undefined) {
    super(stream, {
      alloc: (bytes) => {
        onWrite(bytes)
        return stream.alloc(bytes)
      },
    })
  }

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

  protected override _onopensession(state: object): Promise<void> | null {
    if (this._remote.length >= MAX_CHANNEL_IDS) {
      throw new Error('The peer used too many channel numbers')
    }
    return super._onopensession(state)
  }

  protected override _pushBatch(localId: number, message: Uint8Array): void {
    if (this._batchState.end + message.byteLength > MAX_BATCH_BYTES) {
      this._sendBatch(this._batch, this._batchState)
      this._batch = []
      this._batchState = { buffer: null, start: 0, end: 1 }
    }
    super._pushBatch(localId, message)
  }
}
