import type { Clock } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import type { PeerConnection } from '../../facilities/network/peer-connection.js'
import { type CallOptions, createOrigin } from '../../facilities/network/request-context.js'
import type { RolePeers } from '../../facilities/network/role-peers.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { isUntaken } from '../../helpers/errors/untaken.js'
import type {
  AnyStreamMethod,
  AnyUnaryMethod,
  ChunkOf,
  EndOf,
  RequestInput,
  ResponseOf,
} from '../../helpers/protocol/method.js'
import { type MayRepeat, RetryPolicy } from './retry-policy.js'

/** A wait is told to the user when it has lasted this long. */
const PATIENCE_MS = 1_000

/**
 * Calls made on whichever gateway is there. Workers may be started in any order, so what nobody can
 * answer yet is tried again for a while, and the user is told what is being waited for.
 */
export class GatewayAccess {
  readonly #gateways: RolePeers
  readonly #clock: Clock
  readonly #random: Random
  readonly #lookedFor: string
  readonly #waitMs: number
  readonly #onWaiting: (reason: StarlingError) => void

  /**
   * @param options.lookedFor what a gateway is recognised by, for people
   * @param options.onWaiting called once for each new reason to wait
   */
  constructor(options: {
    gateways: RolePeers
    lookedFor: string
    clock: Clock
    random: Random
    waitMs: number
    onWaiting: (reason: StarlingError) => void
  }) {
    this.#gateways = options.gateways
    this.#clock = options.clock
    this.#random = options.random
    this.#lookedFor = options.lookedFor
    this.#waitMs = options.waitMs
    this.#onWaiting = options.onWaiting
  }

  /** Calls a unary method. @throws StarlingError GATEWAY_NOT_FOUND, or as the call */
  async call<M extends AnyUnaryMethod>(
    method: M,
    body: RequestInput<M>,
    signal: AbortSignal,
  ): Promise<ResponseOf<M>> {
    const options = this.#callOptions(signal)
    return await this.#retry(
      signal,
      (gateway) => gateway.call(method, body, options),
      (error) =>
        mayTakeLater(error) ||
        // A call is short: one that came to nothing in its time may have met a busy moment.
        (method.idempotent && isStarlingError(error, 'PEER_LOST', 'DEADLINE_EXCEEDED')),
    )
  }

  /**
   * Calls a stream method. Once the first chunk is there, nothing is tried again. Before that, what
   * nobody took is tried until the patience of the client ends. When somebody who had the request was
   * lost it is sent once more and no second time, because it may be the request that ends them; after
   * a crash it is not sent again at all.
   *
   * @throws StarlingError GATEWAY_NOT_FOUND, or as the stream
   */
  async *open<M extends AnyStreamMethod>(
    method: M,
    body: RequestInput<M>,
    signal: AbortSignal,
  ): AsyncGenerator<ChunkOf<M>, EndOf<M>, void> {
    const options = this.#callOptions(signal)
    const { chunks, first } = await this.#retry(
      signal,
      async (gateway) => {
        const chunks = gateway.open(method, body, options)
        return { chunks, first: await chunks.next() }
      },
      (error, times) =>
        mayTakeLater(error) || (method.idempotent && error.code === 'PEER_LOST' && times === 1),
    )
    if (first.done) return first.value
    try {
      yield first.value
      return yield* chunks
    } finally {
      await chunks.return(undefined as never)
    }
  }

  #callOptions(signal: AbortSignal): CallOptions {
    return { origin: createOrigin(this.#clock, this.#random), signal }
  }

  async #retry<T>(
    signal: AbortSignal,
    attempt: (gateway: PeerConnection) => Promise<T>,
    mayRepeat: MayRepeat,
  ): Promise<T> {
    const startedAt = this.#clock.monotonic()
    const retries = new RetryPolicy(mayRepeat)
    let told: string | undefined
    for (let tries = 0; ; tries += 1) {
      // What an attempt itself takes is no waiting: an answer may be minutes away.
      const waitedMs = this.#clock.monotonic() - startedAt
      try {
        return await attempt(this.#gateway(tries, waitedMs))
      } catch (error) {
        if (!isStarlingError(error)) throw error
        const leftMs = this.#waitMs - waitedMs
        const pauseMs = retries.pauseMs(error, leftMs, this.#random.fraction())
        if (waitedMs >= PATIENCE_MS && error.code !== told) {
          told = error.code
          this.#onWaiting(error)
        }
        // A gateway that comes meanwhile changes nothing about a wait that was named.
        await this.#pause(pauseMs, signal, error.retryAfterMs === undefined)
      }
    }
  }

  /** Another one for each try, where there are several. */
  #gateway(tries: number, waitedMs: number): PeerConnection {
    const { connections } = this.#gateways
    const gateway = connections[tries % connections.length]
    if (gateway !== undefined) return gateway
    throw new StarlingError(
      'GATEWAY_NOT_FOUND',
      `No gateway found: looked for ${this.#lookedFor} for ${(waitedMs / 1000).toFixed(1)} s`,
    )
  }

  /** Until it is time for another try: at once when a gateway is found, if that is worth one. */
  async #pause(delayMs: number, signal: AbortSignal, untilFound: boolean): Promise<void> {
    const found = new AbortController()
    const onConnected = () => found.abort()
    if (untilFound) this.#gateways.once('connected', onConnected)
    try {
      await this.#clock.sleep(delayMs, AbortSignal.any([signal, found.signal]))
    } catch {
      // Either way the wait is over; only the caller's own signal ends the call.
      signal.throwIfAborted()
    } finally {
      this.#gateways.off('connected', onConnected)
    }
  }
}

/** Whether nobody took the request, and somebody may later. */
function mayTakeLater(error: StarlingError): boolean {
  return isUntaken(error) && error.retryable
}
