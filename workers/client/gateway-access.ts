import type { Clock } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import type { PeerConnection } from '../../facilities/network/peer-connection.js'
import { type CallOptions, createOrigin } from '../../facilities/network/request-context.js'
import type { RolePeers } from '../../facilities/network/role-peers.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import type {
  AnyStreamMethod,
  AnyUnaryMethod,
  ChunkOf,
  EndOf,
  RequestInput,
  ResponseOf,
} from '../../helpers/protocol/method.js'

/** Between two tries of a request that nobody could take yet. */
const RETRY_DELAY_MS = 500
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
      (error) => isCertainlyUndone(error) || (method.idempotent && error.retryable),
    )
  }

  /**
   * Calls a stream method. Once the first chunk is there, nothing is tried again; RATE_LIMITED is told
   * at once.
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
      (error) => error.retryable,
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
    mayRetry: (error: StarlingError) => boolean,
  ): Promise<T> {
    const startedAt = this.#clock.monotonic()
    let told: string | undefined
    for (let tries = 0; ; tries += 1) {
      const waitedMs = this.#clock.monotonic() - startedAt
      try {
        return await attempt(this.#gateway(tries, waitedMs))
      } catch (error) {
        if (!isStarlingError(error) || !mayRetry(error) || waitedMs >= this.#waitMs) throw error
        // Whoever has asked too often waits for seconds, which is theirs to decide.
        if (error.code === 'RATE_LIMITED') throw error
        if (waitedMs >= PATIENCE_MS && error.code !== told) {
          told = error.code
          this.#onWaiting(error)
        }
      }
      await this.#pause(signal)
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

  /** Until it is time for another try: at once when a gateway is found. */
  async #pause(signal: AbortSignal): Promise<void> {
    const found = new AbortController()
    const onConnected = () => found.abort()
    this.#gateways.once('connected', onConnected)
    try {
      await this.#clock.sleep(RETRY_DELAY_MS, AbortSignal.any([signal, found.signal]))
    } catch {
      // Either way the wait is over; only the caller's own signal ends the call.
      signal.throwIfAborted()
    } finally {
      this.#gateways.off('connected', onConnected)
    }
  }
}

/** Errors that say for certain that the request was not carried out. */
function isCertainlyUndone(error: StarlingError): boolean {
  return isStarlingError(
    error,
    'GATEWAY_NOT_FOUND',
    'AUTH_UNAVAILABLE',
    'PEER_UNREACHABLE',
    'OVERLOADED',
    'DRAINING',
  )
}
