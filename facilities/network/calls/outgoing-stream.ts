import encodings from 'compact-encoding'
import type Protomux from 'protomux'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import { wireErrorSchema } from '../../../helpers/errors/wire-error.js'
import { ReceiveCredit } from '../../../helpers/limits/credit.js'
import { answeredError } from '../../../helpers/protocol/answered-error.js'
import type { RequestOrigin } from '../../../helpers/protocol/envelope.js'
import { decodeMessage, encodeMessage } from '../../../helpers/protocol/json-message.js'
import { PROTOCOL_LIMITS } from '../../../helpers/protocol/limits.js'
import {
  type AnyStreamMethod,
  answererOf,
  type ChunkOf,
  type EndOf,
  type RequestInput,
} from '../../../helpers/protocol/method.js'
import type { Deadline } from '../../clock/deadline.js'
import { addStreamMessages, STREAM_PROTOCOL, type StreamMessages } from './stream-wire.js'

/** How a stream ended. */
type Outcome<End> = { readonly end: End } | { readonly error: unknown }

/** The caller's end of one stream: opens it, reads it, grants credit, cancels it. */
export class OutgoingStream<Method extends AnyStreamMethod> {
  readonly #mux: Protomux
  readonly #method: Method
  readonly #id: Uint8Array
  readonly #credit: ReceiveCredit
  readonly #windowChunks: number
  readonly #deadline: Deadline
  readonly #keeping: (bytes: number) => void
  readonly #unread: Uint8Array[] = []
  #channel: Protomux.Channel | null = null
  #messages: StreamMessages | null = null
  #outcome: Outcome<EndOf<Method>> | undefined
  #wake: (() => void) | undefined

  /**
   * @param options.id tells the streams of one connection apart, 8 bytes
   * @param options.keeping called with the size of each chunk that is kept until it is read, and with
   *   the negative size when it is read or dropped
   */
  constructor(
    mux: Protomux,
    options: {
      method: Method
      id: Uint8Array
      windowChunks: number
      deadline: Deadline
      keeping: (bytes: number) => void
    },
  ) {
    this.#mux = mux
    this.#method = options.method
    this.#id = options.id
    this.#windowChunks = options.windowChunks
    this.#credit = new ReceiveCredit(options.windowChunks)
    this.#deadline = options.deadline
    this.#keeping = options.keeping
  }

  /**
   * Sends the request and yields the chunks as they are read. A reader that stops reading stops the sender as soon
   * as its credit is spent. Ending the generator cancels the stream.
   *
   * @throws StarlingError what the other end failed with; PEER_LOST; PROTOCOL_VIOLATION;
   *   PAYLOAD_TOO_LARGE; or the deadline's reason
   */
  async *read(
    request: RequestInput<Method>,
    origin: RequestOrigin,
  ): AsyncGenerator<ChunkOf<Method>, EndOf<Method>, void> {
    const { signal } = this.#deadline
    // The reader may be busy for long: the sender is stopped now, not at the next read.
    const onAbort = () => {
      this.#settle({ error: signal.reason })
      this.#channel?.close()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      if (this.#outcome === undefined) this.#open(request, origin)
      for (;;) {
        const bytes = this.#unread.shift()
        if (bytes !== undefined) {
          this.#keeping(-bytes.byteLength)
          // Otherwise an answer whose end had arrived would seem complete without its middle.
          if (signal.aborted) throw signal.reason
          yield this.#decode(bytes)
          const grant = this.#credit.consume()
          if (grant > 0) this.#messages?.credit.send(grant)
        } else if (this.#outcome !== undefined) {
          if ('end' in this.#outcome) return this.#outcome.end
          throw this.#outcome.error
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#channel?.close()
      for (const bytes of this.#unread.splice(0)) this.#keeping(-bytes.byteLength)
    }
  }

  #open(request: RequestInput<Method>, origin: RequestOrigin): void {
    const opening = {
      method: this.#method.name,
      header: {
        requestId: origin.requestId,
        traceparent: origin.traceparent,
        remainingMs: Math.max(1, Math.floor(this.#deadline.remainingMs())),
      },
      body: request,
      credit: this.#windowChunks,
    }
    const bytes = encodeMessage(
      opening,
      PROTOCOL_LIMITS.streamOpeningBytes,
      `the ${this.#method.name} request`,
    )
    // Created last: the multiplexer keeps a channel that was created and never opened.
    const channel = this.#mux.createChannel({
      protocol: STREAM_PROTOCOL,
      id: this.#id,
      handshake: encodings.raw,
      onclose: () => this.#settle({ error: lostDuring(this.#method) }),
    })
    if (channel === null) throw lostDuring(this.#method)
    this.#channel = channel
    this.#messages = addStreamMessages(channel, {
      onChunk: (chunk) => this.#onChunk(chunk),
      onEnd: (end) => this.#onEnd(end),
      onError: (error) => this.#onError(error),
      onCredit: () => this.#violate('The sender of a stream granted credit'),
    })
    channel.open(bytes)
  }

  #onChunk(bytes: Uint8Array): void {
    if (this.#outcome !== undefined) return
    if (bytes.byteLength > PROTOCOL_LIMITS.streamChunkBytes) {
      this.#violate(`A chunk of ${this.#method.name} has ${bytes.byteLength} bytes`)
      return
    }
    try {
      this.#credit.receive()
      // A chunk is a view of its frame, all of which would be retained until the chunk is read.
      this.#unread.push(this.#wake === undefined ? Buffer.from(bytes) : bytes)
      this.#keeping(bytes.byteLength)
      this.#notify()
    } catch (error) {
      this.#settle({ error })
      this.#channel?.close()
    }
  }

  #onEnd(bytes: Uint8Array): void {
    try {
      const end = decodeMessage(
        bytes,
        this.#method.end,
        PROTOCOL_LIMITS.streamChunkBytes,
        `the end of ${this.#method.name}`,
      ) as EndOf<Method>
      this.#settle({ end })
    } catch (cause) {
      this.#settle({ error: malformed(this.#method, cause) })
    }
  }

  #onError(bytes: Uint8Array): void {
    try {
      const wire = decodeMessage(
        bytes,
        wireErrorSchema,
        PROTOCOL_LIMITS.streamChunkBytes,
        `the error of ${this.#method.name}`,
      )
      this.#settle({ error: answeredError(this.#method, wire) })
    } catch (cause) {
      this.#settle({ error: malformed(this.#method, cause) })
    }
  }

  #decode(bytes: Uint8Array): ChunkOf<Method> {
    try {
      return decodeMessage(
        bytes,
        this.#method.chunk,
        PROTOCOL_LIMITS.streamChunkBytes,
        `a chunk of ${this.#method.name}`,
      ) as ChunkOf<Method>
    } catch (cause) {
      throw malformed(this.#method, cause)
    }
  }

  #violate(message: string): void {
    this.#settle({ error: new StarlingError('PROTOCOL_VIOLATION', message) })
    this.#channel?.close()
  }

  #settle(outcome: Outcome<EndOf<Method>>): void {
    if (this.#outcome !== undefined) return
    this.#outcome = outcome
    this.#notify()
  }

  #notify(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}

function lostDuring(method: AnyStreamMethod): StarlingError {
  return new StarlingError(
    'PEER_LOST',
    `The ${answererOf(method)} was lost before the end of its answer`,
  )
}

function malformed(method: AnyStreamMethod, cause: unknown): StarlingError {
  return new StarlingError('PROTOCOL_VIOLATION', `${method.name} sent a malformed answer`, {
    cause,
  })
}
