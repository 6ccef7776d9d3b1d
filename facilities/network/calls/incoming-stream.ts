import encodings from 'compact-encoding'
import type Protomux from 'protomux'
import { toPeerError } from '../../../helpers/errors/peer-error.js'
import { isStarlingError, StarlingError } from '../../../helpers/errors/starling-error.js'
import type { PeerIdentity } from '../../../helpers/identity/identity.js'
import { ReaderPatience, SendCredit } from '../../../helpers/limits/credit.js'
import { type StreamOpening, streamOpeningSchema } from '../../../helpers/protocol/envelope.js'
import { decodeMessage, encodeMessage } from '../../../helpers/protocol/json-message.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import type { Clock, Timer } from '../../clock/clock.js'
import { Deadline } from '../../clock/deadline.js'
import type { NetworkLimits } from '../limits/network-limit-settings.js'
import type { Refusal } from '../limits/refusal-delays.js'
import { ObservedRequest, type RequestObserver } from '../watch/request-observer.js'
import { corkForThisTick } from './cork-for-this-tick.js'
import type { BoundStream, Service } from './service.js'
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
  /** Resolves when the answer to a request that failed may be sent. See held-refusals.ts. */
  holdRefusal(refusal: Refusal): Promise<void>
}

/** The answering end of one stream: runs its handler, spends credit and notices that it is cancelled. */
export class IncomingStream {
  readonly #mux: Protomux
  readonly #host: StreamHost
  readonly #channel: Protomux.Channel | null
  readonly #messages: StreamMessages | null
  readonly #cancelled = new AbortController()
  readonly #patience: ReaderPatience
  #credit: SendCredit | undefined
  #leave: (() => void) | undefined
  /** When the current wait for credit began, in monotonic milliseconds. */
  #waitingSince: number | undefined

  constructor(mux: Protomux, id: Uint8Array | null, host: StreamHost) {
    this.#mux = mux
    this.#host = host
    this.#patience = new ReaderPatience({
      timeoutMs: host.limits.stalledReaderTimeoutMs,
      windowChunks: host.limits.streamWindowChunks,
    })
    this.#channel = mux.createChannel({
      protocol: STREAM_PROTOCOL,
      id,
      handshake: encodings.raw,
      onopen: (opening) => void this.#answer(opening),
      onclose: () => {
        this.#cancelled.abort(
          new StarlingError('CANCELLED', 'The caller ended the stream or was lost'),
        )
        this.#leave?.()
      },
    })
    this.#messages =
      this.#channel === null
        ? null
        : addStreamMessages(this.#channel, {
            onChunk: () => this.#channel?.close(),
            onEnd: () => this.#channel?.close(),
            onError: () => this.#channel?.close(),
            onCredit: (chunks) => this.#onCredit(chunks),
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
      this.#credit = new SendCredit(opening.credit)
      deadline = new Deadline(
        this.#host.clock,
        Math.min(opening.header.remainingMs, bound.method.timeoutMs),
        this.#cancelled.signal,
      )
      await this.#pump(bound, opening, deadline, observed)
    } catch (error) {
      // A stream that this worker reads for its caller stalled because the caller did not read. The
      // error has to name the caller, not this worker.
      const failure = isStarlingError(error, 'READER_STALLED') ? this.#stalled() : error
      observed.fail(failure)
      // The deadline begins when the request has its place.
      const remainingMs = deadline?.remainingMs()
      const { signal } = this.#cancelled
      await this.#host.holdRefusal({ error: failure, signal, remainingMs })
      this.#fail(failure, observed.origin?.requestId)
    } finally {
      deadline?.dispose()
      this.#channel?.close()
      observed.end()
    }
  }

  async #pump(
    bound: BoundStream,
    { header, body }: StreamOpening,
    deadline: Deadline,
    observed: ObservedRequest,
  ): Promise<void> {
    const chunks = bound.answer(body, {
      requestId: header.requestId,
      traceparent: header.traceparent,
      signal: deadline.signal,
      remainingMs: () => deadline.remainingMs(),
      peer: this.#host.peer,
    })
    try {
      for (;;) {
        if (this.#credit?.available === 0) await this.#nextGrant(deadline)
        const step = await deadline.race(chunks.next())
        corkForThisTick(this.#mux)
        if (step.done) {
          this.#messages?.end.send(this.#encode(step.value, bound))
          return
        }
        this.#credit?.spend()
        this.#messages?.chunk.send(this.#encode(step.value, bound))
        observed.chunk()
      }
    } finally {
      // Not awaited: a handler that ignores its signal must not keep the peer waiting. What it still
      // throws has been answered already, with the signal's reason.
      chunks.return(undefined).catch(() => undefined)
    }
  }

  #encode(value: unknown, bound: BoundStream): Buffer {
    return encodeMessage(value, PROTOCOL_LIMITS.streamChunkBytes, `a chunk of ${bound.method.name}`)
  }

  /** Waits for credit. @throws StarlingError READER_STALLED, or the deadline's reason */
  async #nextGrant(deadline: Deadline): Promise<void> {
    const { clock } = this.#host
    let timer: Timer | undefined
    this.#waitingSince = clock.monotonic()
    try {
      await deadline.race(
        Promise.race([
          this.#credit?.whenAvailable(),
          new Promise<void>((_, reject) => {
            timer = clock.schedule(this.#patience.leftMs, () => reject(this.#stalled()))
          }),
        ]),
      )
    } finally {
      timer?.cancel()
      this.#waitingSince = undefined
    }
  }

  #stalled(): StarlingError {
    const seconds = this.#host.limits.stalledReaderTimeoutMs / 1000
    const { name } = this.#host.peer.certificate
    return new StarlingError(
      'READER_STALLED',
      `${name} did not read the answer: the sender waited ${seconds} s for it`,
    )
  }

  #onCredit(chunks: number): void {
    try {
      this.#credit?.grant(chunks)
    } catch {
      // The stream of a peer that sends an invalid grant is closed without an error.
      this.#channel?.close()
      return
    }
    const now = this.#host.clock.monotonic()
    this.#patience.granted(chunks, now - (this.#waitingSince ?? now))
    this.#waitingSince = undefined
  }

  #fail(error: unknown, requestId: string | undefined): void {
    if (this.#channel?.closed !== false) return
    this.#messages?.error.send(
      encodeMessage(
        toPeerError(error, requestId),
        PROTOCOL_LIMITS.streamChunkBytes,
        'the error of a stream',
      ),
    )
  }
}
