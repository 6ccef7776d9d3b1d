import type { Token } from '../../../../helpers/protocol/generation.js'
import type { Clock, Timer } from '../../../clock/clock.js'
import type { AddressedToken } from '../llama-messages.js'

/**
 * Gathers the tokens of all answers of this process into messages. A message costs more than its content: a system
 * call in each process, and the parent process is woken up for it.
 *
 * What becomes ready in one turn of the event loop is sent at the end of that turn, unless the last message is
 * younger than `gatherMs`: then it waits for the rest of that time. The first token of an answer never waits, and
 * takes along what is there.
 */
export class TokenGatherer {
  readonly #clock: Clock
  readonly #gatherMs: number
  readonly #send: (tokens: AddressedToken[]) => void
  #tokens: AddressedToken[] = []
  #sentAtMs = Number.NEGATIVE_INFINITY
  #timer: Timer | null = null
  #isSentThisTurn = false

  /**
   * @param options.gatherMs how long a token may wait for others; 0: until the end of the turn
   * @param options.send sends a message with at least one token
   */
  constructor(options: {
    clock: Clock
    gatherMs: number
    send: (tokens: AddressedToken[]) => void
  }) {
    this.#clock = options.clock
    this.#gatherMs = options.gatherMs
    this.#send = options.send
  }

  /** @param isFirst whether it is the first token of its answer */
  put(id: number, token: Token, isFirst: boolean): void {
    this.#tokens.push({ id, token })
    if (isFirst) this.sendThisTurn()
    if (this.#timer !== null || this.#isSentThisTurn) return
    const waitMs = this.#sentAtMs + this.#gatherMs - this.#clock.monotonic()
    if (waitMs > 0) this.#timer = this.#clock.schedule(waitMs, () => this.flush())
    else this.sendThisTurn()
  }

  /** Sends what is there and what else becomes ready in this turn of the event loop, at its end. */
  sendThisTurn(): void {
    if (this.#isSentThisTurn) return
    this.#isSentThisTurn = true
    // Called from a microtask, nextTick runs when the whole microtask queue is empty.
    process.nextTick(() => {
      this.#isSentThisTurn = false
      this.flush()
    })
  }

  /** Sends what is there at once; must be called before sending a message that must follow it. */
  flush(): void {
    this.#timer?.cancel()
    this.#timer = null
    if (this.#tokens.length === 0) return
    const tokens = this.#tokens
    this.#tokens = []
    this.#sentAtMs = this.#clock.monotonic()
    this.#send(tokens)
  }
}
