import { setMaxListeners } from 'node:events'
import { StarlingError } from '../../helpers/errors/starling-error.js'
import type { Clock } from '../clock/clock.js'
import { answerCall } from './answer-calls.js'
import type { ProvedPeer } from './hello.js'
import { IncomingStream } from './incoming-stream.js'
import type { NetworkLimits } from './network-limits.js'
import type { ProvedConnection } from './prove-connection.js'
import type { RequestObserver } from './request-observer.js'
import type { BoundUnary, Service } from './service.js'

/** A proved connection that somebody dialled to us: answers its calls and streams, within limits. */
export class AcceptedConnection {
  readonly #connection: ProvedConnection
  readonly #service: Service
  readonly #clock: Clock
  readonly #limits: NetworkLimits
  readonly #observer: RequestObserver
  readonly #lost = new AbortController()
  #calls = 0
  #streams = 0

  constructor(
    connection: ProvedConnection,
    options: {
      service: Service
      clock: Clock
      limits: NetworkLimits
      observer: RequestObserver
    },
  ) {
    this.#connection = connection
    this.#service = options.service
    this.#clock = options.clock
    this.#limits = options.limits
    this.#observer = options.observer
    // As many listeners as calls are under way, which have a limit of their own.
    setMaxListeners(0, this.#lost.signal)
    connection.mux.stream.once('close', () => {
      this.#lost.abort(new StarlingError('PEER_LOST', 'The caller was lost'))
    })
  }

  get peer(): ProvedPeer {
    return this.#connection.peer
  }

  /** Answers one unary call with the bytes of its response. */
  async answer(bound: BoundUnary, bytes: Uint8Array): Promise<Uint8Array> {
    this.#calls += 1
    try {
      return await answerCall(bound, bytes, {
        clock: this.#clock,
        peer: this.peer,
        signal: this.#lost.signal,
        observer: this.#observer,
        isFull: () => this.#calls > this.#limits.maxCallsPerConnection,
      })
    } finally {
      this.#calls -= 1
    }
  }

  /** Answers one stream that the peer opened. */
  acceptStream(id: Uint8Array | null): void {
    this.#streams += 1
    const stream = new IncomingStream(this.#connection.mux, id, {
      clock: this.#clock,
      service: this.#service,
      peer: this.peer,
      observer: this.#observer,
      isFull: () => this.#streams > this.#limits.maxStreamsPerConnection,
      onClose: () => {
        this.#streams -= 1
      },
    })
    stream.open()
  }
}
