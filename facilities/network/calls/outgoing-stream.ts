import encodings from 'compact-encoding'
import type Protomux from 'protomux'
import safetyCatch from 'safety-catch'
import type { z } from 'zod'
import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import { wireErrorSchema } from '../../../helpers/errors/wire-error.js'
import { SendCredit } from '../../../helpers/limits/credit.js'
import { answeredError } from '../../../helpers/protocol/answered-error.js'
import type { MessageStart } from '../../../helpers/protocol/chunk-codec.js'
import { decodeMessage, encodeMessage } from '../../../helpers/protocol/json-message.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import {
  type AnyStreamMethod,
  answererOf,
  type EndOf,
  type HeadOf,
  type RequestInput,
} from '../../../helpers/protocol/method.js'
import type { Clock } from '../../clock/clock.js'
import type { Deadline } from '../../clock/deadline.js'
import { ChunkReader } from './chunk-reader.js'
import { ChunkSender } from './chunk-sender.js'
import type { StreamOptions } from './request-context.js'
import type { StreamAnswer } from './stream-answer.js'
import { addStreamMessages, STREAM_PROTOCOL, type StreamMessages } from './stream-wire.js'

/** What an {@link OutgoingStream} depends on. */
export interface OutgoingStreamOptions<M extends AnyStreamMethod, Item> {
  readonly mux: Protomux
  readonly method: M
  readonly request: RequestInput<M>
  readonly call: StreamOptions<M>
  /** Tells the streams of one connection apart, 8 bytes. */
  readonly id: Uint8Array
  readonly clock: Clock
  /** Chunks that the other end may be ahead. */
  readonly windowChunks: number
  /** How long chunks of the input may wait to be sent together, in milliseconds. */
  readonly gatherMs: number
  /** Aborted when this worker begins to leave, which ends a lasting stream. */
  readonly leaving: AbortSignal | undefined
  startDeadline(): Deadline
  /** Reads a message of chunks: see {@link ChunkReader}. */
  read(message: Uint8Array, start: MessageStart): readonly Item[]
  /** Called with the bytes of each message that is kept until it is read, negative when it is read or dropped. */
  keeping(bytes: number): void
}

/** The caller's end of one stream: opens it, reads it, grants credit, cancels it. */
export class OutgoingStream<M extends AnyStreamMethod, Item>
  implements StreamAnswer<Item, EndOf<M>, HeadOf<M>>
{
  readonly #options: OutgoingStreamOptions<M, Item>
  readonly #method: AnyStreamMethod
  readonly #reader: ChunkReader<Item, EndOf<M>>
  #deadline: Deadline | undefined
  #channel: Protomux.Channel | null = null
  #messages: StreamMessages | null = null
  #input: ChunkSender | undefined
  /** Where the input comes from. */
  #source: AsyncIterator<unknown, unknown, void> | undefined
  #hasBegun = false
  /** Whether the whole answer has arrived. */
  #hasEnded = false
  #isClosed = false
  /** What the answer began with, once it has. */
  #head: { readonly value: HeadOf<M> } | undefined
  #failure: { readonly error: unknown } | undefined
  /** Calls when the answer begins or fails. */
  readonly #headWaiting: (() => void)[] = []
  readonly #onAbort = () => this.#abort(this.#deadline?.signal.reason)
  readonly #onLeaving = () => this.#abort(this.#options.leaving?.reason)

  constructor(options: OutgoingStreamOptions<M, Item>) {
    const { method, windowChunks, keeping } = options
    this.#options = options
    this.#method = method
    this.#reader = new ChunkReader({
      windowChunks,
      inspect: (message) => method.chunk.inspect(message),
      read: (message, start) => this.#read(message, start),
      grant: (chunks) => void this.#messages?.credit.send(chunks),
      keeping,
      onOver: () => {
        const message = 'The answer was not read any further'
        this.#failure ??= { error: new StarlingError('CANCELLED', message) }
        this.#finish()
        this.#wakeHead()
      },
    })
  }

  next(): Promise<IteratorResult<Item, EndOf<M>>> {
    this.#begin()
    return this.#reader.next()
  }

  return(end: EndOf<M> | PromiseLike<EndOf<M>>): Promise<IteratorResult<Item, EndOf<M>>> {
    this.#hasBegun = true
    return this.#reader.return(end)
  }

  throw(error: unknown): Promise<IteratorResult<Item, EndOf<M>>> {
    this.#hasBegun = true
    return this.#reader.throw(error)
  }

  async head(): Promise<HeadOf<M>> {
    this.#begin()
    if (this.#head === undefined && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#headWaiting.push(resolve))
    }
    if (this.#head !== undefined) return this.#head.value
    throw this.#failure?.error
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #begin(): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    this.#deadline = this.#options.startDeadline()
    const { signal } = this.#deadline
    // The reader may be busy for long: the sender is stopped now, not at the next read.
    signal.addEventListener('abort', this.#onAbort, { once: true })
    const { leaving } = this.#options
    if (this.#method.timeoutMs === 'lasting') leaving?.addEventListener('abort', this.#onLeaving)
    try {
      signal.throwIfAborted()
      if (this.#method.timeoutMs === 'lasting') leaving?.throwIfAborted()
      this.#open(this.#deadline)
    } catch (error) {
      this.#fail(error)
    }
  }

  #open(deadline: Deadline): void {
    const { call, request, windowChunks, mux, id } = this.#options
    const remainingMs = deadline.remainingMs()
    const opening = {
      method: this.#method.name,
      header: {
        requestId: call.origin.requestId,
        traceparent: call.origin.traceparent,
        ...(Number.isFinite(remainingMs) && { remainingMs: Math.max(1, Math.floor(remainingMs)) }),
      },
      body: request,
      credit: windowChunks,
    }
    const bytes = encodeMessage(
      opening,
      PROTOCOL_LIMITS.streamOpeningBytes,
      `the ${this.#method.name} request`,
    )
    // Created last: the multiplexer keeps a channel that was created and never opened.
    const channel = mux.createChannel({
      protocol: STREAM_PROTOCOL,
      id,
      handshake: encodings.raw,
      onclose: () => this.#fail(lostDuring(this.#method)),
    })
    if (channel === null) throw lostDuring(this.#method)
    this.#channel = channel
    this.#messages = addStreamMessages(channel, {
      onChunk: (message) => this.#onChunk(message),
      onEnd: (message) => this.#onEnd(message),
      onError: (message) => this.#onError(message),
      onCredit: (chunks) => this.#onCredit(chunks),
      onHead: (message) => this.#onHead(message),
    })
    channel.open(bytes)
    void this.#sendInput()
  }

  /** Sends what the caller has for the other end. */
  async #sendInput(): Promise<void> {
    const { method, call, clock, gatherMs } = this.#options
    if (method.input === undefined) return
    this.#input = new ChunkSender({
      clock,
      codec: method.input,
      credit: new SendCredit(0),
      gatherMs,
      write: (message) => void this.#messages?.chunk.send(message),
      onFailed: (error) => this.#fail(error),
    })
    this.#source = call.input?.[Symbol.asyncIterator]()
    try {
      if (this.#source !== undefined) await this.#input.sendAll(this.#source)
      if (!this.#isClosed) this.#messages?.end.send(new Uint8Array(0))
    } catch (error) {
      this.#fail(error)
    }
  }

  #onHead(message: Uint8Array): void {
    const { name, head } = this.#method
    if (head === undefined || this.#head !== undefined) {
      this.#violate(`${name} sent a head where none was due`)
      return
    }
    try {
      this.#begun(this.#decode(message, head, 'head') as HeadOf<M>)
    } catch (error) {
      this.#fail(error)
    }
  }

  #onChunk(message: Uint8Array): void {
    if (!this.#hasHead('chunk')) return
    try {
      this.#reader.receive(message)
    } catch (error) {
      this.#fail(isStarlingError(error, 'PROTOCOL_VIOLATION') ? error : this.#malformed(error))
    }
  }

  #onEnd(message: Uint8Array): void {
    if (!this.#hasHead('end')) return
    try {
      const end = this.#decode(message, this.#method.end, 'end') as EndOf<M>
      this.#hasEnded = true
      this.#reader.settle({ end })
    } catch (error) {
      this.#fail(error)
    }
  }

  #onError(message: Uint8Array): void {
    try {
      this.#fail(answeredError(this.#method, this.#decode(message, wireErrorSchema, 'error')))
    } catch (error) {
      this.#fail(error)
    }
  }

  #onCredit(chunks: number): void {
    if (this.#input === undefined) {
      this.#violate('The sender of a stream granted credit')
      return
    }
    try {
      this.#input.grant(chunks)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Notes that the answer has begun. @returns whether it may: after its head, if it has one */
  #hasHead(what: string): boolean {
    if (this.#head !== undefined) return true
    if (this.#method.head !== undefined) {
      this.#violate(`${this.#method.name} sent its ${what} before its head`)
      return false
    }
    this.#begun(undefined as HeadOf<M>)
    return true
  }

  #begun(head: HeadOf<M>): void {
    this.#head = { value: head }
    this.#wakeHead()
  }

  #read(message: Uint8Array, start: MessageStart): readonly Item[] {
    try {
      return this.#options.read(message, start)
    } catch (error) {
      throw this.#malformed(error)
    }
  }

  /** @throws StarlingError PROTOCOL_VIOLATION */
  #decode<Schema extends z.ZodType>(
    message: Uint8Array,
    schema: Schema,
    what: string,
  ): z.output<Schema> {
    try {
      const limitBytes = PROTOCOL_LIMITS.streamChunkBytes
      return decodeMessage(message, schema, limitBytes, `the ${what} of ${this.#method.name}`)
    } catch (error) {
      throw this.#malformed(error)
    }
  }

  #malformed(cause: unknown): StarlingError {
    return new StarlingError('PROTOCOL_VIOLATION', `${this.#method.name} sent a malformed answer`, {
      cause,
    })
  }

  #violate(message: string): void {
    this.#fail(new StarlingError('PROTOCOL_VIOLATION', message))
  }

  /** Ends the stream with an error at once: what arrived and was not read is dropped. */
  #abort(error: unknown): void {
    this.#reader.abort(error)
    this.#fail(error)
    this.#close()
  }

  /** Ends the stream with an error after what has arrived, unless all of the answer has. */
  #fail(error: unknown): void {
    if (this.#hasEnded || this.#isClosed) return
    this.#failure ??= { error }
    this.#reader.settle({ error })
    this.#close()
    // Otherwise there may be chunks that are still read, until the caller gives up.
    if (this.#head === undefined) this.#finish()
    this.#wakeHead()
  }

  /** Sends and receives nothing any more. */
  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#input?.stop()
    void closeSource(this.#source)
    this.#channel?.close()
  }

  /** Nothing is left to be read. */
  #finish(): void {
    this.#close()
    this.#deadline?.signal.removeEventListener('abort', this.#onAbort)
    this.#options.leaving?.removeEventListener('abort', this.#onLeaving)
    this.#deadline?.dispose()
  }

  #wakeHead(): void {
    for (const wake of this.#headWaiting.splice(0)) wake()
  }
}

async function closeSource(source: AsyncIterator<unknown> | undefined): Promise<void> {
  try {
    await source?.return?.()
  } catch (error) {
    safetyCatch(error)
  }
}

function lostDuring(method: AnyStreamMethod): StarlingError {
  return new StarlingError(
    'PEER_LOST',
    `The ${answererOf(method)} was lost before the end of its answer`,
  )
}
