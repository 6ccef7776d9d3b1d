import type { Token } from '../../../../helpers/protocol/generation.js'

/** A token and the request that it belongs to. */
export interface AddressedToken {
  readonly id: number
  readonly token: Token
}

/**
 * Gathers the tokens that become ready in one turn of the event loop, so that answers that are
 * computed together travel together: a message costs more than what is in it.
 */
export class TokenOutbox {
  readonly #send: (tokens: AddressedToken[]) => void
  #tokens: AddressedToken[] = []
  #scheduled = false

  constructor(send: (tokens: AddressedToken[]) => void) {
    this.#send = send
  }

  put(id: number, token: Token): void {
    this.#tokens.push({ id, token })
    if (this.#scheduled) return
    this.#scheduled = true
    // After everything that is ready now has had its turn, and before anything else.
    process.nextTick(() => {
      this.#scheduled = false
      this.flush()
    })
  }

  /** Sends at once what has gathered; to be called before anything that must come after it. */
  flush(): void {
    if (this.#tokens.length === 0) return
    const tokens = this.#tokens
    this.#tokens = []
    this.#send(tokens)
  }
}
