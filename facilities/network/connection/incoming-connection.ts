import { setMaxListeners } from 'node:events'
import { StarlingError } from '../../../helpers/errors/starling-error.js'
import type { PeerIdentity } from '../../../helpers/identity/identity.js'
import type { Clock } from '../../clock/clock.js'
import { answerCall } from '../calls/answer-calls.js'
import { IncomingStream } from '../calls/incoming-stream.js'
import type { BoundUnary, Service } from '../calls/service.js'
import type { NetworkLimits } from '../limits/network-limit-settings.js'
import type { PeerBounds } from '../limits/peer-bounds.js'
import type { PeerQuota } from '../limits/peer-quota.js'
import type { Refusal } from '../limits/refusal-delays.js'
import { MAX_BATCH_BYTES } from '../trust/guarded-mux.js'
import type { RequestObserver } from '../watch/request-observer.js'
import type { AuthenticatedConnection } from './protocol-registry.js'

/** An authenticated connection that the peer opened: answers its calls and streams, within the peer's quotas. */
export class IncomingConnection {
  readonly #connection: AuthenticatedConnection
  readonly #service: Service
  readonly #clock: Clock
  readonly #limits: NetworkLimits
  readonly #bounds: PeerBounds
  readonly #observer: RequestObserver
  readonly #lost = new AbortController()
  #isPaused = false

  constructor(
    connection: AuthenticatedConnection,
    options: {
      service: Service
      clock: Clock
      limits: NetworkLimits
      bounds: PeerBounds
      observer: RequestObserver
    },
  ) {
    this.#connection = connection
    this.#service = options.service
    this.#clock = options.clock
    this.#limits = options.limits
    this.#bounds = options.bounds
    this.#observer = options.observer
    // One listener for each call in progress; calls have their own limit.
    setMaxListeners(0, this.#lost.signal)
    connection.mux.stream.once('close', () => {
      this.#lost.abort(new StarlingError('PEER_LOST', 'The caller was lost'))
    })
  }

  get peer(): PeerIdentity {
    return this.#connection.peer
  }

  /** Answers one unary call with the bytes of its response. */
  async answer(bound: BoundUnary, bytes: Uint8Array): Promise<Uint8Array> {
    return await answerCall(bound, bytes, {
      clock: this.#clock,
      peer: this.peer,
      signal: this.#lost.signal,
      observer: this.#observer,
      admit: (request) => this.#admit(this.#bounds.calls, request),
      holdRefusal: (refusal) => this.#holdRefusal(refusal),
    })
  }

  /** Answers one stream that the peer opened. */
  acceptStream(id: Uint8Array | null): void {
    const stream = new IncomingStream(this.#connection.mux, id, {
      clock: this.#clock,
      service: this.#service,
      peer: this.peer,
      limits: this.#limits,
      observer: this.#observer,
      admit: (opening) => this.#admit(this.#bounds.streams, opening),
      holdRefusal: (refusal) => this.#holdRefusal(refusal),
      keeping: (bytes) => this.#connection.meter.keeping(bytes),
    })
    stream.open()
  }

  async #holdRefusal(refusal: Refusal): Promise<void> {
    await this.#bounds.refusals.hold(this.#connection.member, refusal, (ms) => this.#pause(ms))
  }

  /** Stops reading for a while, but not so long that the connection counts as silent. */
  #pause(delayMs: number): void {
    if (this.#isPaused) return
    const { stream } = this.#connection.mux
    const { heartbeatIntervalMs, heartbeatMissedLimit } = this.#limits
    const pauseMs = Math.min(delayMs, (heartbeatIntervalMs * heartbeatMissedLimit) / 2)
    const resume = () => {
      this.#isPaused = false
      if (!stream.destroyed) stream.resume()
    }
    this.#isPaused = true
    stream.pause()
    this.#clock.sleep(pauseMs, this.#lost.signal).then(resume, resume)
  }

  /** Takes a place and memory for a request. @throws StarlingError OVERLOADED */
  #admit(places: PeerQuota, request: Uint8Array): () => void {
    const { member } = this.#connection
    const leavePlace = places.take(member)
    try {
      const leaveRoom = this.#bounds.requestBytes.take(member, retainedBytes(request))
      return () => {
        leavePlace()
        leaveRoom()
      }
    } catch (error) {
      leavePlace()
      throw error
    }
  }
}

/**
 * The memory that is retained while a request is being answered. The request is a view of its frame, so all
 * of the frame is retained. Frames larger than a batch, with its overhead, contain one message; a peer that
 * puts more into them is charged for the whole frame.
 */
function retainedBytes(request: Uint8Array): number {
  const frameBytes = request.buffer.byteLength
  return frameBytes > 2 * MAX_BATCH_BYTES ? frameBytes : request.byteLength
}
