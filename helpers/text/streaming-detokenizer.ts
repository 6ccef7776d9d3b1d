/** What a decoder returns for invalid or incomplete characters. */
const REPLACEMENT = '\uFFFD'

/**
 * How many tokens may wait for one character to be complete. A character has at most four bytes, so
 * only a malformed answer reaches this; it is then returned as replacement characters.
 */
const MAX_WAITING_TOKENS = 32

/** How many earlier tokens are decoded together with a new one, which determines its leading space. */
const CONTEXT_TOKENS = 4

/** How many tokens are decoded together before finished ones are dropped. */
const WINDOW_TOKENS = 12

/**
 * Decodes tokens into text one by one, without splitting a character that several tokens share: the
 * token that completes a character returns it, those before it return nothing.
 *
 * Tokens are decoded together with the few before them and the difference is returned, because in some
 * vocabularies a token's leading space depends on the token before it.
 *
 * @example
 * const detokenizer = new StreamingDetokenizer((tokens) => model.detokenize(tokens), promptTokens)
 * process.stdout.write(detokenizer.push(token))
 */
export class StreamingDetokenizer {
  readonly #decode: (tokens: readonly number[]) => string
  /** Tokens whose text has been returned, as context, followed by those that wait. */
  #window: number[]
  /** How many tokens of the window wait for their character to be complete. */
  #waiting = 0
  /** The length of the window's text that has been returned. */
  #returned: string

  /**
   * @param decode the text of several tokens; invalid bytes become U+FFFD
   * @param preceding the tokens before the first one, such as the prompt's; the last few are used
   */
  constructor(decode: (tokens: readonly number[]) => string, preceding: readonly number[] = []) {
    this.#decode = decode
    this.#window = preceding.slice(-CONTEXT_TOKENS)
    this.#returned = this.#window.length === 0 ? '' : decode(this.#window)
  }

  /** Whether the last character is incomplete. */
  get incomplete(): boolean {
    return this.#waiting > 0
  }

  /** The text that this token completes; empty while its last character is incomplete. */
  push(token: number): string {
    this.#window.push(token)
    this.#waiting += 1
    const text = this.#decode(this.#window)
    // A character of three or four bytes decodes to one U+FFFD until its last byte has arrived.
    const incomplete = text.endsWith(REPLACEMENT) && this.#waiting < MAX_WAITING_TOKENS
    const fresh = this.#since(incomplete ? text.slice(0, -REPLACEMENT.length) : text)
    if (incomplete) this.#returned += fresh
    else this.#settle(text)
    return fresh
  }

  /** Ends the text: an incomplete character is returned as replacement characters. */
  flush(): string {
    if (this.#waiting === 0) return ''
    const text = this.#decode(this.#window)
    const rest = this.#since(text)
    this.#settle(text)
    return rest
  }

  #since(text: string): string {
    if (text.startsWith(this.#returned)) return text.slice(this.#returned.length)
    // The decoder changed text that was already returned: only the waiting tokens on their own are
    // certainly new.
    return this.#decode(this.#window.slice(-this.#waiting))
  }

  /** All of the window's text has been returned. */
  #settle(text: string): void {
    this.#waiting = 0
    this.#returned = text
    if (this.#window.length < WINDOW_TOKENS) return
    this.#window = this.#window.slice(-CONTEXT_TOKENS)
    this.#returned = this.#decode(this.#window)
  }
}
