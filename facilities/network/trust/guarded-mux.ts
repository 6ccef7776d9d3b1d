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

/** The most channels that are held until the hello is done, about 1 KB each. A worker opens none so early. */
const MAX_HELD_CHANNELS = 64

/** Answers the channels that the peer opens. */
export interface ChannelAnswers {
  /**
   * Called in the tick in which a channel arrives. Claims it, in the same tick, by creating a channel with the
   * same protocol and id, or does nothing. The multiplexer ignores the close of a channel that is not claimed yet.
   */
  claim(protocol: string, id: Uint8Array | null): void
  /** Called when a channel that was not claimed has been rejected. */
  onRejected(protocol: string): void
}

/** A channel that the peer opened before its hello was done. */
interface HeldChannel {
  readonly protocol: string
  readonly id: Uint8Array | null
  readonly info: Protomux.ChannelInfo
}

/**
 * Whether a channel that the peer opens is held until the hello is done. No other place decides that.
 *
 * The only exception that is planned is the enrolment of a newcomer, which has no certificate yet: one call, bounded
 * and bound to the handshake hash, on a channel with a name of its own. It would be excepted here.
 */
function isHeld(_protocol: string, isAuthenticated: boolean): boolean {
  return !isAuthenticated
}

/**
 * The multiplexer, with protection against a hostile peer.
 *
 * Until the hello is done, all channels that the peer opens are held, whatever their protocol: see {@link answer}.
 * What they contain is bounded by the bytes that an unverified peer may send. A channel that nobody claims is
 * rejected then, without harm to the others.
 *
 * Protomux reads nested batches recursively, without a limit: one frame of 16 KB, sent before the hello, would
 * exhaust the stack, and Protomux would end the process. It never writes nested batches itself, so a peer that
 * sends them is cut off.
 */
export class GuardedMux extends Protomux {
  #inBatch = false
  #answers: ChannelAnswers | null = null
  readonly #held: HeldChannel[] = []
  #isOpening = false
  /** The entry of the channel whose opening was read last. */
  #opened: Protomux.ChannelInfo | null = null

  /** @param onWrite called with the size of each message before it is written */
  constructor(stream: HyperDHT.SecretStream, onWrite: (bytes: number) => void = () => undefined) {
    super(stream, {
      alloc: (bytes) => {
        onWrite(bytes)
        return stream.alloc(bytes)
      },
    })
  }

  /** To be called when the hello is done: answers the channels that were held, and then those that arrive. */
  answer(answers: ChannelAnswers): void {
    this.#answers = answers
    for (const channel of this.#held.splice(0)) {
      this.#answer(channel).catch((error: unknown) => this._safeDestroy(error))
    }
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
    this.#isOpening = true
    this.#opened = null
    const answer = super._onopensession(state)
    this.#isOpening = false
    // Null: it is the peer's answer to a channel of ours. If we have closed that one already, Protomux would keep
    // its entry, one for each stream that is cancelled early.
    if (answer === null && this.#opened !== null) this._gc(this.#opened)
    return answer
  }

  protected override _get(
    protocol: string,
    id: Uint8Array | null,
    aliases?: readonly string[],
  ): Protomux.ChannelInfo {
    const info = super._get(protocol, id, aliases)
    // The first one is that of the channel; a handler may create others.
    if (this.#isOpening) this.#opened = info
    this.#isOpening = false
    return info
  }

  protected override _requestSession(
    protocol: string,
    id: Uint8Array | null,
    info: Protomux.ChannelInfo,
  ): Promise<void> {
    const channel = { protocol, id, info }
    if (!isHeld(protocol, this.#answers !== null)) return this.#answer(channel)
    if (this.#held.length >= MAX_HELD_CHANNELS) {
      throw new Error('The peer opened too many channels before its hello was done')
    }
    this.#held.push(channel)
    // Not a promise that waits for the hello: Protomux sends nothing, not even our hello, before the promises
    // of all channels that arrived in one batch have settled.
    return Promise.resolve()
  }

  protected override _rejectSession(info: Protomux.ChannelInfo | 0, remoteId?: number): void {
    super._rejectSession(info, remoteId)
    // 0: the peer tried to open the channel that is reserved for the multiplexer itself.
    if (info !== 0) this.#answers?.onRejected(info.protocol)
  }

  #answer({ protocol, id, info }: HeldChannel): Promise<void> {
    // Nothing is left to claim if a channel of ours was created while this one was held.
    if (info.incoming.length > 0) this.#answers?.claim(protocol, id)
    // Asks those who called `pair`, such as a Hypercore, and rejects what is still not claimed.
    return super._requestSession(protocol, id, info)
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
