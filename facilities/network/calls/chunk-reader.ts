import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { ReceiveCredit } from '../../../helpers/limits/credit.js'
import type { MessageStart } from '../../../helpers/protocol/chunk-codec.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'

/** How the chunks of one direction of a stream ended. */
export type ChunksOutcome<End> = { readonly end: End } | { readonly error: unknown }

/** What a {@link ChunkReader} depends on. */
export interface ChunkReaderOptions<Item> {
  /** Chunks that the sender may be ahead. */
  readonly windowChunks: number
  /** Reads the start of a message. @throws what the stream then fails with */
  inspect(message: Uint8Array): MessageStart
  /**
   * Reads a message: one item for each of its chunks, or one for all of them.
   *
   * @throws what the stream then fails with
   */
  read(message: Uint8Array, start: MessageStart): readonly Item[]
  /** Grants credit to the sender. */
  grant(chunks: number): void
  /** Called with the bytes of each message that is kept until it is read, negative when it is read or dropped. */
  keeping(bytes: number): void
  /** Called once, when everything was read or the reader wants no more. */
  onOver(): void
}

interface ReceivedMessage {
  readonly bytes: Uint8Array
  readonly start: MessageStart
}

interface Waiting<Item, End> {
  resolve(step: IteratorResult<Item, End>): void
  reject(reason: unknown): void
}

/**
 * The receiving end of the chunks of a stream, in one direction: keeps what arrived until it is read, and grants
 * credit for what was read. It behaves like a started async generator, but a reader that ends it while it waits need
 * not wait for the next chunk.
 */
export class ChunkReader<Item, End> implements AsyncGenerator<Item, End, void> {
  readonly #options: ChunkReaderOptions<Item>
  readonly #credit: ReceiveCredit
  readonly #unread: ReceivedMessage[] = []
  readonly #waiting: Waiting<Item, End>[] = []
  /** The items of the message that is being read. */
  #items: readonly Item[] = []
  #nextItem = 0
  #chunksPerItem = 1
  /** The chunks of the item that was handed out last. They count as read when the next one is requested. */
  #handedChunks = 0
  #outcome: ChunksOutcome<End> | undefined
  #isOver = false

  constructor(options: ChunkReaderOptions<Item>) {
    this.#options = options
    this.#credit = new ReceiveCredit(options.windowChunks)
  }

  /** Takes a message that arrived. @throws StarlingError PROTOCOL_VIOLATION; what `inspect` throws */
  receive(message: Uint8Array): void {
    if (this.#outcome !== undefined) return
    const { byteLength } = message
    if (byteLength > PROTOCOL_LIMITS.streamChunkBytes) {
      throw new StarlingError('PROTOCOL_VIOLATION', `A message of chunks has ${byteLength} bytes`)
    }
    const start = this.#options.inspect(message)
    this.#credit.receive(start.count)
    // A message is a view of its frame, all of which would be retained until the message is read.
    const bytes = this.#waiting.length > 0 ? message : Buffer.from(message)
    this.#unread.push({ bytes, start })
    this.#options.keeping(byteLength)
    this.#serve()
  }

  /** No more chunks come. Those that arrived are still read before the outcome. Only the first call counts. */
  settle(outcome: ChunksOutcome<End>): void {
    if (this.#outcome !== undefined) return
    this.#outcome = outcome
    this.#serve()
  }

  /**
   * Fails at once: what arrived and was not read is dropped. Without effect if only the outcome is left to be read:
   * a whole answer stays whole.
   */
  abort(error: unknown): void {
    const isRead = this.#unread.length === 0 && this.#nextItem === this.#items.length
    if (this.#isOver || (this.#outcome !== undefined && isRead)) return
    this.#discard()
    this.#outcome = { error }
    this.#serve()
  }

  next(): Promise<IteratorResult<Item, End>> {
    this.#consume()
    try {
      const step = this.#waiting.length === 0 ? this.#take() : null
      if (step !== null) return Promise.resolve(step)
    } catch (error) {
      return Promise.reject(error)
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  async return(end: End | PromiseLike<End>): Promise<IteratorResult<Item, End>> {
    this.#outcome ??= { error: undefined }
    this.#finish()
    for (const { resolve } of this.#waiting.splice(0)) resolve(over())
    return { done: true, value: await end }
  }

  async throw(error: unknown): Promise<IteratorResult<Item, End>> {
    await this.return(undefined as End)
    throw error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #serve(): void {
    while (this.#waiting.length > 0) {
      let step: IteratorResult<Item, End> | null
      try {
        step = this.#take()
      } catch (error) {
        this.#waiting.shift()?.reject(error)
        continue
      }
      if (step === null) return
      this.#waiting.shift()?.resolve(step)
    }
  }

  /** The next step; null if nothing is there yet. @throws the error that the chunks ended with */
  #take(): IteratorResult<Item, End> | null {
    while (this.#nextItem === this.#items.length) {
      const message = this.#unread.shift()
      if (message === undefined) return this.#takeOutcome()
      this.#options.keeping(-message.bytes.byteLength)
      this.#read(message)
    }
    const value = this.#items[this.#nextItem] as Item
    this.#nextItem += 1
    this.#handedChunks = this.#chunksPerItem
    return { done: false, value }
  }

  #read({ bytes, start }: ReceivedMessage): void {
    try {
      this.#items = this.#options.read(bytes, start)
    } catch (error) {
      this.#discard()
      this.#outcome = { error }
      return
    }
    this.#nextItem = 0
    this.#chunksPerItem = this.#items.length === 1 ? start.count : 1
  }

  #takeOutcome(): IteratorResult<Item, End> | null {
    if (this.#isOver) return over()
    const outcome = this.#outcome
    if (outcome === undefined) return null
    this.#finish()
    if ('end' in outcome) return { done: true, value: outcome.end }
    throw outcome.error
  }

  #consume(): void {
    if (this.#handedChunks === 0) return
    const grant = this.#credit.consume(this.#handedChunks)
    this.#handedChunks = 0
    if (grant > 0 && this.#outcome === undefined) this.#options.grant(grant)
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#discard()
    this.#options.onOver()
  }

  #discard(): void {
    for (const { bytes } of this.#unread.splice(0)) this.#options.keeping(-bytes.byteLength)
    this.#items = []
    this.#nextItem = 0
  }
}

/** What a generator that has ended returns. */
function over<Item, End>(): IteratorResult<Item, End> {
  return { done: true, value: undefined as End }
}
