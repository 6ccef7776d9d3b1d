import type { Clock } from '../../facilities/clock/clock.js'
import type { Random } from '../../facilities/clock/random.js'
import type { Peer, Peers } from '../../facilities/network/calls/peers.js'
import { type CallOptions, createOrigin } from '../../facilities/network/calls/request-context.js'
import type { StreamAnswer } from '../../facilities/network/calls/stream-answer.js'
import { isStarlingError, StarlingError } from '../../helpers/errors/starling-error.js'
import { isUnprocessed } from '../../helpers/errors/unprocessed-errors.js'
import type {
  AnyStreamMethod,
  AnyUnaryMethod,
  ChunkOf,
  EndOf,
  HeadOf,
  RequestInput,
  ResponseOf,
} from '../../helpers/protocol/method.js'
import { type MayRepeat, RetryPolicy } from './retry-policy.js'

/** The user is notified of a wait after this time. */
const PATIENCE_MS = 1_000

/**
 * The longest wait for a limit without asking the user, for example while other answers of the user are in
 * progress. Whether to wait longer is up to the user.
 */
const SHORT_LIMIT_MS = 1_000

/**
 * Calls methods of any gateway. Workers may be started in any order, so calls that cannot be answered yet are
 * repeated for some time, and the user is notified what the client waits for.
 */
export class GatewayAccess {
  readonly #gateways: Peers
  readonly #clock: Clock
  readonly #random: Random
  readonly #lookedFor: string
  readonly #waitMs: number
  readonly #onWaiting: (reason: StarlingError) => void

  /**
   * @param options.lookedFor describes to the user which gateways are looked for, and how
   * @param options.onWaiting called once for each new reason to wait
   */
  constructor(options: {
    gateways: Peers
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
        // Only a prompt waits for its model.
        (canSucceedLater(error) && error.code !== 'MODEL_UNAVAILABLE') ||
        // A call is short: if it took too long, the gateway may have been busy for a moment.
        (method.idempotent && isStarlingError(error, 'PEER_LOST', 'DEADLINE_EXCEEDED')),
    )
  }

  /**
   * Calls a stream method and waits until its answer begins. From then on, the request is never sent again. Before
   * it, a request that was not processed is sent again for as long as the client waits. If a worker was lost that
   * had the request, it is sent again once only, because it may have caused the loss. After a crash it is not sent
   * again. If a rate limit allows the request within a second, the client waits for it.
   *
   * @returns the answer, which must be read to its end or closed
   * @throws StarlingError GATEWAY_NOT_FOUND, or as the stream
   */
  async open<M extends AnyStreamMethod>(
    method: M,
    body: RequestInput<M>,
    signal: AbortSignal,
  ): Promise<StreamAnswer<ChunkOf<M>, EndOf<M>, HeadOf<M>>> {
    const options = this.#callOptions(signal)
    return await this.#retry(
      signal,
      async (gateway) => {
        const answer = gateway.open(method, body, options)
        await answer.head()
        return answer
      },
      (error, times) =>
        canSucceedLater(error) ||
        isShortLimit(error) ||
        (method.idempotent && error.code === 'PEER_LOST' && times === 1),
    )
  }

  #callOptions(signal: AbortSignal): CallOptions {
    return { origin: createOrigin(this.#clock, this.#random), signal }
  }

  async #retry<T>(
    signal: AbortSignal,
    attempt: (gateway: Peer) => Promise<T>,
    mayRepeat: MayRepeat,
  ): Promise<T> {
    const startedAt = this.#clock.monotonic()
    const retries = new RetryPolicy(mayRepeat)
    let reported: string | undefined
    for (let tries = 0; ; tries += 1) {
      // Without the attempt itself, because an answer may take minutes.
      const waitedMs = this.#clock.monotonic() - startedAt
      try {
        return await attempt(this.#gateway(tries, waitedMs))
      } catch (error) {
        if (!isStarlingError(error)) throw error
        const leftMs = this.#waitMs - waitedMs
        const pauseMs = retries.pauseMs(error, leftMs, this.#random.fraction())
        if (waitedMs >= PATIENCE_MS && error.code !== reported) {
          reported = error.code
          this.#onWaiting(error)
        }
        // A pause that a gateway asked for does not end early when another gateway is found.
        await this.#pause(pauseMs, signal, error.retryAfterMs === undefined)
      }
    }
  }

  /** A different one for each attempt, if there are several. */
  #gateway(tries: number, waitedMs: number): Peer {
    const { connections } = this.#gateways
    const gateway = connections[tries % connections.length]
    if (gateway !== undefined) return gateway
    throw new StarlingError(
      'GATEWAY_NOT_FOUND',
      `No gateway found: looked for ${this.#lookedFor} for ${(waitedMs / 1000).toFixed(1)} s`,
    )
  }

  /** Waits until the next attempt, or until a gateway is found. */
  async #pause(delayMs: number, signal: AbortSignal, untilFound: boolean): Promise<void> {
    const found = new AbortController()
    const onConnected = () => found.abort()
    if (untilFound) this.#gateways.on('connected', onConnected)
    try {
      await this.#clock.sleep(delayMs, AbortSignal.any([signal, found.signal]))
    } catch {
      // The wait is over in any case. Only the caller's signal ends the call.
      signal.throwIfAborted()
    } finally {
      this.#gateways.off('connected', onConnected)
    }
  }
}

/** Whether the request was not processed and can succeed later. */
function canSucceedLater(error: StarlingError): boolean {
  return isUnprocessed(error) && error.retryable && error.code !== 'RATE_LIMITED'
}

function isShortLimit({ code, retryAfterMs }: StarlingError): boolean {
  return code === 'RATE_LIMITED' && retryAfterMs !== undefined && retryAfterMs <= SHORT_LIMIT_MS
}
