import encodings from 'compact-encoding'
import type Protomux from 'protomux'
import { toPeerError } from '../../../helpers/errors/peer-error.js'
import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import type { PeerIdentity } from '../../../helpers/identity/identity.js'
import { ReaderPatience, SendCredit } from '../../../helpers/limits/credit.js'
import { type StreamOpening, streamOpeningSchema } from '../../../helpers/protocol/envelope.js'
import { decodeMessage, encodeMessage } from '../../../helpers/protocol/json-message.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import type { AnyStreamMethod } from '../../../helpers/protocol/method.js'
import type { Clock } from '../../clock/clock.js'
import { Deadline } from '../../clock/deadline.js'
import type { NetworkLimits } from '../limits/network-limit-settings.js'
import type { Refusal } from '../limits/refusal-delays.js'
import { ObservedRequest, type RequestObserver } from '../watch/request-observer.js'
import { ChunkReader } from './chunk-reader.js'
import { ChunkSender } from './chunk-sender.js'
import { corkForThisTick } from './cork-for-this-tick.js'
import type { BegunAnswer, BoundStream, Service } from './service.js'
import { addStreamMessages, STREAM_PROTOCOL, type StreamMessages } from './stream-wire.js'

/** The part of a connection that an incoming stream needs. */
export interface StreamHost {
  readonly clock: Clock
  readonly service: Service
  readonly peer: PeerIdentity
  readonly limits: NetworkLimits
  readonly observer: RequestObserver
  /**
   * Takes a place for a stream.
   *
   * @param bytes its opening
   * @returns releases the place; called when the stream is closed, even if its handler is still running
   * @throws StarlingError OVERLOADED when the peer, or all peers together, have reached their limit
   */
  admit(bytes: Uint8Array): () => void
  /** Resolves when the answer to a request that failed may be sent. See refusal-delays.ts. */
  holdRefusal(refusal: Refusal): Promise<void>
  /** Called with the bytes of each message that is kept until it is read, negative when it is read or dropped. */
  keeping(bytes: number): void
}

/** The answering end of one stream: runs its handler, spends credit and notices that it is cancelled. */
export class IncomingStream {
  readonly #mux: Protomux
  readonly #host: StreamHost
  readonly #channel: Protomux.Channel | null
  readonly #messages: StreamMessages | null
  readonly #cancelled = new AbortController()
  #sender: ChunkSender | undefined
  /** What the caller sends; undefined if the method has no input. */
  #input: ChunkReader<unknown, void> | undefined
  #leave: (() => void) | undefined
  #isOver = false

  constructor(mux: Protomux, id: Uint8Array | null, host: StreamHost) {
    this.#mux = mux
    this.#host = host
    this.#channel = mux.createChannel({
      protocol: STREAM_PROTOCOL,
      id,
      handshake: encodings.raw,
      onopen: (opening) => void this.#answer(opening),
      onclose: () => {
        this.#cancel(new StarlingError('CANCELLED', 'The caller ended the stream or was lost'))
        this.#leave?.()
      },
    })
    this.#messages =
      this.#channel === null
        ? null
        : addStreamMessages(this.#channel, {
            onChunk: (bytes) => this.#onInput((input) => input.receive(bytes)),
            onEnd: () => this.#onInput((input) => input.settle({ end: undefined })),
            onError: () => this.#violate('sent an error'),
            onCredit: (chunks) => this.#onCredit(chunks),
            onHead: () => this.#violate('sent a head'),
          })
  }

  /** Accepts the stream. Its opening message follows. */
  open(): void {
    this.#channel?.open(new Uint8Array(0))
  }

  async #answer(openingBytes: Uint8Array): Promise<void> {
    const observed = new ObservedRequest(this.#host.observer, {
      clock: this.#host.clock,
      kind: 'stream',
      peer: this.#host.peer.certificate.name,
    })
    let deadline: Deadline | undefined
    let stopWatching: (() => void) | undefined
    try {
      const opening = decodeMessage(
        openingBytes,
        streamOpeningSchema,
        PROTOCOL_LIMITS.streamOpeningBytes,
        'the opening of a stream',
      )
      observed.reads(opening.header)
      this.#leave = this.#host.admit(openingBytes)
      const bound = this.#host.service.streamNamed(opening.method)
      observed.asks(bound.method)
      stopWatching = this.#watchLeaving(bound.method)
      deadline = this.#startDeadline(bound.method, opening)
      this.#sender = this.#createSender(bound.method, opening, observed)
      await deadline.race(this.#run(bound, opening, deadline, this.#sender))
    } catch (error) {
      // A stream that this worker reads for its caller stalled because the caller did not read. The
      // error has to name the caller, not this worker.
      const failure = isStarlingError(error, 'READER_STALLED') ? this.#stalled() : error
      this.#end(failure)
      observed.fail(failure)
      // The deadline begins when the request has its place.
      const remainingMs = deadline?.remainingMs()
      const { signal } = this.#cancelled
      await this.#host.holdRefusal({ error: failure, signal, remainingMs })
      this.#fail(failure, observed.origin?.requestId)
    } finally {
      this.#end(new StarlingError('CANCELLED', 'The stream has ended'))
      stopWatching?.()
      deadline?.dispose()
      this.#channel?.close()
      observed.end()
    }
  }

  /** Runs the handler and sends its answer. */
  async #run(
    bound: BoundStream,
    { header, body }: StreamOpening,
    deadline: Deadline,
    sender: ChunkSender,
  ): Promise<void> {
    const input = this.#openInput(bound.method)
    const begun = await bound.answer(body, {
      requestId: header.requestId,
      traceparent: header.traceparent,
      signal: deadline.signal,
      remainingMs: () => deadline.remainingMs(),
      peer: this.#host.peer,
      input,
    })
    try {
      // Generators that were not started would not run their `finally`.
      if (this.#isOver) await begun.chunks.next()
      else await this.#send(bound.method, begun, sender)
    } finally {
      // Not awaited: a handler that ignores its signal must not keep the peer waiting. What it still
      // throws has been answered already, with the signal's reason.
      begun.chunks.return(undefined).then(begun.ended, begun.ended)
    }
  }

  async #send(method: AnyStreamMethod, begun: BegunAnswer, sender: ChunkSender): Promise<void> {
    if (method.head !== undefined) {
      corkForThisTick(this.#mux)
      this.#messages?.head.send(encodeValue(begun.head, `the head of ${method.name}`))
    }
    const end = await sender.sendAll(begun.chunks)
    if (this.#isOver) return
    corkForThisTick(this.#mux)
    this.#messages?.end.send(encodeValue(end, `the end of ${method.name}`))
  }

  #createSender(
    method: AnyStreamMethod,
    opening: StreamOpening,
    observed: ObservedRequest,
  ): ChunkSender {
    const { clock, limits } = this.#host
    return new ChunkSender({
      clock,
      codec: method.chunk,
      credit: new SendCredit(opening.credit),
      gatherMs: limits.gatherMs,
      stall: {
        patience: new ReaderPatience({
          timeoutMs: limits.stalledReaderTimeoutMs,
          windowChunks: limits.streamWindowChunks,
        }),
        error: () => this.#stalled(),
      },
      write: (message, chunks) => {
        corkForThisTick(this.#mux)
        this.#messages?.chunk.send(message)
        observed.chunks(chunks)
      },
      onFailed: (error) => this.#cancel(error),
    })
  }

  /** Lets the caller send its chunks, if the method has input. */
  #openInput({ input: codec }: AnyStreamMethod): AsyncGenerator<unknown, void, void> {
    const { streamWindowChunks } = this.#host.limits
    const input = new ChunkReader<unknown, void>({
      windowChunks: streamWindowChunks,
      inspect: (message) => codec?.inspect(message) ?? { count: 1 },
      read: (message) => codec?.decode(message) ?? [],
      grant: (chunks) => void this.#messages?.credit.send(chunks),
      keeping: (bytes) => this.#host.keeping(bytes),
      onOver: () => undefined,
    })
    if (codec === undefined) {
      input.settle({ end: undefined })
      return input
    }
    this.#input = input
    this.#messages?.credit.send(streamWindowChunks)
    return input
  }

  #startDeadline({ timeoutMs }: AnyStreamMethod, { header }: StreamOpening): Deadline {
    const { remainingMs = Number.POSITIVE_INFINITY } = header
    const mostMs = timeoutMs === 'lasting' ? Number.POSITIVE_INFINITY : timeoutMs
    return new Deadline(this.#host.clock, Math.min(remainingMs, mostMs), this.#cancelled.signal)
  }

  /** Ends a lasting stream as soon as this worker leaves. @returns stops watching */
  #watchLeaving({ timeoutMs }: AnyStreamMethod): () => void {
    const { leaving } = this.#host.service
    const onLeaving = () => this.#cancel(leaving.reason)
    if (timeoutMs === 'lasting') leaving.addEventListener('abort', onLeaving)
    return () => leaving.removeEventListener('abort', onLeaving)
  }

  #stalled(): StarlingError {
    const seconds = this.#host.limits.stalledReaderTimeoutMs / 1000
    const { name } = this.#host.peer.certificate
    return new StarlingError(
      'READER_STALLED',
      `${name} did not read the answer: the sender waited ${seconds} s for it`,
    )
  }

  #onInput(take: (input: ChunkReader<unknown, void>) => void): void {
    if (this.#isOver) return
    if (this.#input === undefined) {
      this.#violate('sent a chunk or an end to a method without input')
      return
    }
    try {
      take(this.#input)
    } catch (error) {
      this.#cancel(error)
    }
  }

  #onCredit(chunks: number): void {
    try {
      this.#sender?.grant(chunks)
    } catch (error) {
      this.#cancel(error)
    }
  }

  #violate(what: string): void {
    this.#cancel(new StarlingError('PROTOCOL_VIOLATION', `The caller of a stream ${what}`))
  }

  /** Ends the stream with an error. Only the first call counts. */
  #cancel(error: unknown): void {
    this.#cancelled.abort(error)
  }

  /** Sends no more chunks and takes none. @param reason what the handler gets that still reads its input */
  #end(reason: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#sender?.stop()
    this.#input?.abort(reason)
  }

  #fail(error: unknown, requestId: string | undefined): void {
    if (this.#channel?.closed !== false) return
    this.#messages?.error.send(encodeValue(toPeerError(error, requestId), 'the error of a stream'))
  }
}

function encodeValue(value: unknown, what: string): Buffer {
  return encodeMessage(value, PROTOCOL_LIMITS.streamChunkBytes, what)
}
